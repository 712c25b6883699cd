//! Certificates and keys, made by the `openssl` command.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// When a certificate is valid, as `openssl ca` takes it.
pub const NOW: (&str, &str) = ("20200101000000Z", "20990101000000Z");
pub const PAST: (&str, &str) = ("20200101000000Z", "20200201030405Z");
pub const FUTURE: (&str, &str) = ("20980102030405Z", "20990101000000Z");

/// What to make a key of.
#[derive(Clone, Copy)]
pub enum Kind {
    Ec,
    Rsa,
    Ed25519,
}

/// Runs `openssl` in `folder`.
pub fn openssl(folder: &Path, args: &[&str]) {
    let output = match Command::new("openssl").args(args).current_dir(folder).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("these tests need the openssl command: apt-get install openssl")
        }
        Err(error) => panic!("cannot start openssl: {error}"),
    };
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a private key (PKCS#8) in the file `<name>.key`.
pub fn make_key(folder: &Path, name: &str, kind: Kind) {
    let kind: &[&str] = match kind {
        Kind::Ec => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        Kind::Rsa => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        Kind::Ed25519 => &["-algorithm", "ED25519"],
    };
    openssl(folder, &[&["genpkey", "-out", &format!("{name}.key")], kind].concat());
}

/// An authority with its files in a folder: `<name>.pem` and `<name>.key`.
pub struct Authority<'a> {
    folder: &'a Path,
    name: &'a str,
}

impl<'a> Authority<'a> {
    pub fn new(folder: &'a Path, name: &'a str) -> Authority<'a> {
        Authority::with_subject(folder, name, name)
    }

    /// One whose files and whose own name differ.
    pub fn with_subject(folder: &'a Path, name: &'a str, subject: &str) -> Authority<'a> {
        make_key(folder, name, Kind::Ec);
        let (key, cert, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={subject}"));
        openssl(folder, &["req", "-x509", "-key", &key, "-out", &cert, "-subj", &subject, "-days", "3650"]);
        Authority { folder, name }
    }

    /// One whose files are there.
    pub fn existing(folder: &'a Path, name: &'a str) -> Authority<'a> {
        Authority { folder, name }
    }

    /// Signs a certificate in `<name>.pem` with its key in `<name>.key`.
    /// `extensions` are lines as in openssl's configuration; none: version 1.
    pub fn sign(&self, name: &str, kind: Kind, extensions: &str, (start, end): (&str, &str)) {
        let file = |suffix: &str| format!("{name}.{suffix}");
        make_key(self.folder, name, kind);
        let subject = format!("/CN={name}");
        openssl(self.folder, &["req", "-new", "-key", &file("key"), "-out", &file("csr"), "-subj", &subject]);
        // Only `openssl ca` takes both dates; it wants a small database.
        fs::write(self.folder.join(file("index")), "").unwrap();
        let config = format!(
            "[ca]\ndefault_ca = one\n[one]\ndatabase = {name}.index\nnew_certs_dir = .\nrand_serial = yes\n\
             default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n"
        );
        fs::write(self.folder.join(file("cnf")), config).unwrap();
        fs::write(self.folder.join(file("ext")), extensions).unwrap();
        let (cert, key) = (format!("{}.pem", self.name), format!("{}.key", self.name));
        let (config, request, out, ext) = (file("cnf"), file("csr"), file("pem"), file("ext"));
        let mut args = vec!["ca", "-batch", "-notext", "-config", &config, "-cert", &cert, "-keyfile", &key];
        args.extend(["-in", &request, "-out", &out, "-startdate", start, "-enddate", end]);
        if !extensions.is_empty() {
            args.extend(["-extfile", &ext]);
        }
        openssl(self.folder, &args);
    }
}

/// A file of the folder, as it is configured.
pub fn path(folder: &Path, name: &str) -> String {
    PathBuf::from(folder).join(name).display().to_string()
}
