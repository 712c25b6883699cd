//! The checksum of content and of records: CRC-32 as in ISO HDLC and Ethernet.

static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// That of the pieces, one after the other.
pub fn checksum(pieces: &[&[u8]]) -> u32 {
    let mut digest = Digest::default();
    pieces.iter().for_each(|piece| digest.update(piece));
    digest.finish()
}

/// The same of pieces that come one at a time.
pub struct Digest(crc::Digest<'static, u32>);

impl Default for Digest {
    fn default() -> Digest {
        Digest(CRC.digest())
    }
}

impl Digest {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Of all of them.
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_usual_one_however_the_content_is_cut() {
        assert_eq!(checksum(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(checksum(&[b"1234", b"", b"56789"]), checksum(&[b"123456789"]));
    }
}
