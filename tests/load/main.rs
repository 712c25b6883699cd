//! What the manager takes, in the best and in the worst case. Run by `tests/bench`
//! and `tests/ceiling`, with the static binaries.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
mod bare;
mod bench;
mod ceiling;
#[allow(dead_code)]
#[path = "../tls/certificates.rs"]
mod certificates;
mod clients;
mod endpoint;
mod figures;
mod fleet;
mod floor;
mod largest;
#[path = "../link/mod.rs"]
mod link;
mod mixture;
#[allow(dead_code)]
#[path = "../broker/processes.rs"]
mod processes;
mod site;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_good = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ceiling"] => ceiling::judge(),
        ["bench", ref parts @ ..] => bench::run(parts),
        _ => {
            eprintln!("run by tests/bench and tests/ceiling");
            std::process::exit(2);
        }
    };
    std::process::exit(i32::from(!is_good));
}
