//! A broker that is not the right one is told from the right one, the log says
//! why, and it is tried again.

use std::fs;

use serde_json::json;

use crate::certificates::{openssl, Authority, Kind, FUTURE, NOW, PAST};
use crate::world::{await_connected, await_line, World};

const LOCALHOST: &str = "subjectAltName=DNS:localhost";

/// The manager meets the broker with the certificate `name` and says what is
/// wrong with it, then one with the right certificate.
fn is_refused(world: &mut World, name: &str, why: &str) {
    world.serve(name, "", "");
    let manager = world.manager(json!({}));
    await_line(&manager, &format!("{}: the broker's certificate {why}", world.failure()));
    assert_eq!(manager.said(" connected\n"), 0);
    world.serve("broker", "", "");
    await_connected(&manager);
}

/// The same, the end of the line being of the clock's.
fn is_refused_by_clock(world: &mut World, name: &str, why: &str) {
    world.serve(name, "", "");
    let manager = world.manager(json!({}));
    let words = format!("{}: the broker's certificate {why}, the clock says 2", world.failure());
    crate::processes::wait_until(&words, crate::peers::PATIENCE, || manager.said(&words) > 0);
    world.serve("broker", "", "");
    await_connected(&manager);
}

#[test]
fn an_expired_certificate_is_refused() {
    let mut world = World::prepare();
    world.authority().sign("late", Kind::Ec, LOCALHOST, PAST);
    is_refused_by_clock(&mut world, "late", "has expired: it was valid until 2020-02-01T03:04:05.000Z");
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_refused_until_it_is() {
    let mut world = World::prepare();
    world.authority().sign("early", Kind::Ec, LOCALHOST, FUTURE);
    is_refused_by_clock(&mut world, "early", "is not valid yet: it is so from 2098-01-02T03:04:05.000Z on");
}

#[test]
fn a_certificate_for_somebody_else_is_refused_and_its_names_are_told() {
    let mut world = World::prepare();
    world.authority().sign("elsewhere", Kind::Ec, "subjectAltName=DNS:a.example,DNS:*.b.example,IP:10.0.0.1", NOW);
    is_refused(&mut world, "elsewhere", "is not for localhost, but for a.example, *.b.example, 10.0.0.1");
}

#[test]
fn a_certificate_without_names_is_refused() {
    let mut world = World::prepare();
    world.authority().sign("nameless", Kind::Ec, "keyUsage=digitalSignature", NOW);
    is_refused(&mut world, "nameless", "is not for localhost, but for no host at all (it has no subjectAltName)");
}

#[test]
fn a_certificate_for_another_address_is_refused() {
    let mut world = World::prepare();
    world.authority().sign("elsewhere", Kind::Ec, "subjectAltName=DNS:localhost,IP:10.0.0.1", NOW);
    world.serve("elsewhere", "", "");
    let address = format!("tls://127.0.0.1:{}", world.port);
    let manager = world.manager_at(&address, json!({}));
    let why = "the broker's certificate is not for 127.0.0.1, but for localhost, 10.0.0.1";
    await_line(&manager, &format!("cannot connect to {address}: {why}"));
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let mut world = World::prepare();
    Authority::new(world.dir(), "stranger").sign("strange", Kind::Ec, LOCALHOST, NOW);
    let why = format!("is signed by no authority in {}", world.file("ca.pem"));
    is_refused(&mut world, "strange", &why);
}

#[test]
fn a_certificate_of_an_authority_that_borrowed_its_name_is_refused() {
    let mut world = World::prepare();
    Authority::with_subject(world.dir(), "impostor", "ca").sign("strange", Kind::Ec, LOCALHOST, NOW);
    let why = format!("has a signature that is not of the authority of that name in {}", world.file("ca.pem"));
    is_refused(&mut world, "strange", &why);
}

#[test]
fn a_certificate_for_clients_only_is_refused() {
    let mut world = World::prepare();
    world.authority().sign("client", Kind::Ec, &format!("{LOCALHOST}\nextendedKeyUsage=clientAuth"), NOW);
    is_refused(&mut world, "client", "is not for servers");
}

#[test]
fn a_certificate_of_version_1_is_refused() {
    let mut world = World::prepare();
    world.authority().sign("old", Kind::Ec, "", NOW);
    is_refused(&mut world, "old", "is not of X.509 version 3");
}

/// As `openssl req -x509` makes it: signed by itself, and an authority.
fn make_single(world: &World, name: &str, subject_alt_name: &str) {
    crate::certificates::make_key(world.dir(), name, Kind::Ec);
    let (key, cert) = (format!("{name}.key"), format!("{name}.pem"));
    let args = ["req", "-x509", "-key", &key, "-out", &cert, "-subj", "/CN=single", "-addext", subject_alt_name];
    openssl(world.dir(), &args);
}

#[test]
fn a_broker_may_be_its_own_authority_for_its_own_names() {
    let mut world = World::prepare();
    make_single(&world, "single", LOCALHOST);
    world.serve("single", "", "");
    let own = json!({ "caCert": world.file("single.pem") });
    await_connected(&world.manager(own.clone()));
    let address = format!("tls://127.0.0.1:{}", world.port);
    let manager = world.manager_at(&address, own);
    let why = "the broker's certificate is not for 127.0.0.1, but for localhost";
    await_line(&manager, &format!("cannot connect to {address}: {why}"));
    let why = format!("is an authority's, so it must itself be in {}", world.file("ca.pem"));
    is_refused(&mut world, "single", &why);
}

#[test]
fn a_broker_that_is_its_own_authority_expires() {
    let mut world = World::prepare();
    let extensions = format!("{LOCALHOST}\nbasicConstraints=critical,CA:TRUE");
    world.authority().sign("single", Kind::Ec, &extensions, PAST);
    world.serve("single", "", "");
    let manager = world.manager(json!({ "caCert": world.file("single.pem") }));
    let words = "the broker's certificate has expired: it was valid until 2020-02-01T03:04:05.000Z";
    crate::processes::wait_until(words, crate::peers::PATIENCE, || manager.said(words) > 0);
}

#[test]
fn renewed_files_count_from_the_next_connection_on() {
    let mut world = World::prepare();
    Authority::new(world.dir(), "next").sign("renewed", Kind::Ec, LOCALHOST, NOW);
    fs::copy(world.file("ca.pem"), world.file("trusted.pem")).unwrap();
    world.serve("broker", "", "");
    let manager = world.manager(json!({ "caCert": world.file("trusted.pem") }));
    await_connected(&manager);
    fs::remove_file(world.file("trusted.pem")).unwrap();
    world.serve("renewed", "", "");
    let file = world.file("trusted.pem");
    let why = format!("connection.caCert: cannot read the file {file}: No such file or directory (os error 2)");
    await_line(&manager, &format!("{}: {why}", world.failure()));
    fs::copy(world.file("next.pem"), world.file("trusted.pem")).unwrap();
    crate::processes::wait_until("it is back", crate::peers::PATIENCE, || manager.said(" connected\n") > 1);
}
