//! Files that cannot be used are a mistake in the configuration: exit code 1, and
//! a line with the key, the file and the cause.

use std::fs;

use serde_json::{json, Value};

use crate::certificates::{openssl, Kind, NOW};
use crate::peers::PATIENCE;
use crate::processes::wait_until;
use crate::world::{await_connected, World};

fn assert_refused(world: &World, connection: Value, line: &str) {
    let (code, said) = world.refused(connection);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.ends_with(&format!("update-manager: {line}\n")), "expected {line}, but it said {said}");
}

/// A world, not served, with a client's certificate and some useless files.
fn world() -> World {
    let world = World::prepare();
    world.authority().sign("client", Kind::Ec, "extendedKeyUsage=clientAuth", NOW);
    let good = fs::read_to_string(world.file("ca.pem")).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nMII=BIg\n-----END CERTIFICATE-----\n";
    let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let endless = good.split("-----END").next().unwrap();
    for (name, text) in [
        ("empty", ""),
        ("broken", broken),
        ("hollow", hollow),
        ("endless", endless),
        ("begin", &good.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE")),
        ("second", &format!("{good}{broken}")),
    ] {
        fs::write(world.file(name), text).unwrap();
    }
    world
}

#[test]
fn without_authorities_there_is_no_tls() {
    let world = world();
    let why = "connection.caCert: not set, and TLS needs the authorities to trust";
    assert_refused(&world, json!({ "caCert": "" }), why);
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_named_with_the_cause() {
    let world = world();
    for (name, why) in [
        ("absent", "cannot read the file {}: No such file or directory (os error 2)"),
        ("", "cannot read the file {}: Is a directory (os error 21)"),
        ("empty", "no certificate in the file {}"),
        ("ca.key", "no certificate in the file {}"),
        ("broken", "certificate 1 of the file {}: bad PEM: malformed base64"),
        ("endless", "certificate 1 of the file {}: bad PEM: its END line is missing"),
        ("begin", "certificate 1 of the file {}: bad PEM: a malformed BEGIN line"),
        ("hollow", "certificate 1 of the file {}: no X.509 certificate"),
    ] {
        let file = world.file(name);
        let line = format!("connection.caCert: {}", why.replace("{}", &file));
        assert_refused(&world, json!({ "caCert": file }), &line);
    }
    fs::write(world.file("large"), vec![b'\n'; 512 * 1024 + 1]).unwrap();
    let file = world.file("large");
    let line = format!("connection.caCert: the file {file} is larger than 524288 bytes");
    assert_refused(&world, json!({ "caCert": file }), &line);
}

#[test]
fn one_good_authority_is_enough_and_the_rest_is_warned_about() {
    let mut world = world();
    world.serve("broker", "", "");
    let manager = world.manager(json!({ "caCert": world.file("second") }));
    await_connected(&manager);
    let first = format!("certificate 2 of the file {}: bad PEM: malformed base64\n", world.file("second"));
    let warning = format!("WARN  connection.caCert: 1 unusable, the first: {first}");
    wait_until("it is said", PATIENCE, || manager.said(&warning) == 1);
}

#[test]
fn a_certificate_of_ours_that_cannot_be_used_is_named_with_the_cause() {
    let world = world();
    for (name, why) in [
        ("absent", "cannot read the file {}: No such file or directory (os error 2)"),
        ("empty", "no certificate in the file {}"),
        ("client.key", "no certificate in the file {}"),
        ("second", "certificate 2 of the file {}: bad PEM: malformed base64"),
    ] {
        let file = world.file(name);
        let line = format!("connection.cert: {}", why.replace("{}", &file));
        assert_refused(&world, json!({ "cert": file, "key": world.file("client.key") }), &line);
    }
}

#[test]
fn a_key_that_cannot_be_used_is_named_with_the_cause() {
    let world = world();
    let dir = world.dir();
    openssl(dir, &["pkcs8", "-topk8", "-in", "client.key", "-out", "secret8", "-passout", "pass:secret"]);
    openssl(dir, &["ec", "-in", "client.key", "-out", "secret1", "-aes128", "-passout", "pass:secret"]);
    openssl(dir, &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521", "-out", "p521"]);
    let kinds = "none of RSA with 2048 to 8192 bits, ECDSA P-256 and P-384, Ed25519";
    for (name, why) in [
        ("absent", "cannot read the file {}: No such file or directory (os error 2)"),
        ("client.pem", "no private key in the file {}"),
        ("secret8", "the key in the file {} is encrypted"),
        ("secret1", "the key in the file {} is encrypted"),
        ("p521", &format!("the key in the file {{}} is {kinds}")),
    ] {
        let file = world.file(name);
        let line = format!("connection.key: {}", why.replace("{}", &file));
        assert_refused(&world, json!({ "cert": world.file("client.pem"), "key": file }), &line);
    }
}

#[test]
fn certificate_and_key_come_together() {
    let world = world();
    let key = json!({ "key": world.file("client.key") });
    assert_refused(&world, key, "connection.cert: not set, but connection.key is");
    let cert = json!({ "cert": world.file("client.pem") });
    assert_refused(&world, cert, "connection.key: not set, but connection.cert is");
}

#[test]
fn a_host_that_no_certificate_can_be_for_is_refused() {
    let world = world();
    let line = "connection.broker: no certificate can be for the host a..b";
    assert_refused(&world, json!({ "broker": "tls://a..b:1" }), line);
}
