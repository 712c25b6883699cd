//! What goes over the wire or to disk stands in one table: name, code, meaning.

/// An enum each of whose values has a code for the disk and a name for people and peers.
/// A code is never given another meaning; what is new gets a new one.
macro_rules! table {
    ($(#[$of_all:meta])* pub enum $Enum:ident { $($(#[$of_one:meta])* $Value:ident = $code:literal $name:literal,)* }) => {
        $(#[$of_all])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        #[repr(u8)]
        pub enum $Enum { $($(#[$of_one])* $Value = $code,)* }

        impl $Enum {
            /// All there are, in the order of the table.
            pub const ALL: [$Enum; [$($code),*].len()] = [$($Enum::$Value,)*];

            /// The number by which it is saved.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The one with this number.
            pub const fn of_code(code: u8) -> Option<$Enum> {
                match code {
                    $($code => Some($Enum::$Value),)*
                    _ => None,
                }
            }

            /// As it is spelled.
            pub const fn name(self) -> &'static str {
                match self {
                    $($Enum::$Value => $name,)*
                }
            }

            /// The one that is spelled so, in exact case and in full.
            pub fn of_name(name: $crate::model::text::Text<'_>) -> Option<$Enum> {
                $Enum::ALL.into_iter().find(|one| name.eq_str(one.name()))
            }
        }

        #[cfg(test)]
        impl $Enum {
            /// That each value is read as it is written, by code and by name, and no two are
            /// alike.
            pub(crate) fn check_table() {
                for one in $Enum::ALL {
                    assert_eq!($Enum::of_code(one.code()), Some(one));
                    let name = $crate::model::text::Escaped(one.name()).to_string();
                    let name = $crate::model::text::Text::parse(&name).expect("a text");
                    assert_eq!($Enum::of_name(name), Some(one));
                    assert_eq!($Enum::ALL.iter().filter(|other| other.code() == one.code()).count(), 1);
                }
                let known = (0..=u8::MAX).filter_map($Enum::of_code).collect::<Vec<_>>();
                assert_eq!(known.len(), $Enum::ALL.len(), "every code is of one in the list");
                assert!(known.iter().all(|one| $Enum::of_code(one.code()) == Some(*one)));
            }
        }
    };
}

pub(crate) use table;
