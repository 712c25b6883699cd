//! A broker that wants to know its clients.

use std::fs;

use serde_json::{json, Value};

use crate::certificates::{make_key, openssl, path, Authority, Kind, NOW, PAST};
use crate::world::{await_connected, await_line, World};

const REQUIRE: &str = "cafile {folder}/ca.pem\nrequire_certificate true\nuse_identity_as_username true";
const CLIENT: &str = "extendedKeyUsage=clientAuth";
const VERSIONS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];

fn own(world: &World, cert: &str, key: &str) -> Value {
    json!({ "cert": world.file(cert), "key": world.file(key) })
}

/// A world with the client's certificate `client`, whose broker asks for one.
fn strict(kind: Kind, version: &str) -> World {
    let mut world = World::prepare();
    world.authority().sign("client", kind, CLIENT, NOW);
    world.serve("broker", REQUIRE, &format!("MaxProtocol = {version}"));
    world
}

#[test]
fn keys_are_taken_in_every_usual_form() {
    let forms: [(Kind, &[&str], &str); 4] = [
        (Kind::Ec, &["pkcs8", "-topk8", "-nocrypt"], "BEGIN PRIVATE KEY"),
        (Kind::Ec, &["ec"], "BEGIN EC PRIVATE KEY"),
        (Kind::Rsa, &["rsa", "-traditional"], "BEGIN RSA PRIVATE KEY"),
        (Kind::Ed25519, &["pkcs8", "-topk8", "-nocrypt"], "BEGIN PRIVATE KEY"),
    ];
    for (kind, convert, head) in forms {
        let world = strict(kind, "TLSv1.3");
        openssl(world.dir(), &[convert, &["-in", "client.key", "-out", "form.key"]].concat());
        assert!(fs::read_to_string(world.file("form.key")).unwrap().contains(head));
        await_connected(&world.manager(own(&world, "client.pem", "form.key")));
    }
}

#[test]
fn a_key_after_curve_parameters_and_a_certificate_in_one_file_is_found() {
    let world = strict(Kind::Ec, "TLSv1.3");
    openssl(world.dir(), &["ecparam", "-name", "prime256v1", "-out", "parameters"]);
    openssl(world.dir(), &["ec", "-in", "client.key", "-out", "form.key"]);
    let read = |name: &str| fs::read_to_string(path(world.dir(), name)).unwrap();
    let all = ["note: ours\r\n", &read("parameters"), &read("form.key"), &read("client.pem"), &read("ca.pem")].concat();
    fs::write(world.file("all.pem"), all.replace('\n', "\r\n")).unwrap();
    await_connected(&world.manager(own(&world, "all.pem", "all.pem")));
}

#[test]
fn a_client_certificate_of_version_1_is_good_enough() {
    let mut world = World::prepare();
    world.authority().sign("client", Kind::Rsa, "", NOW);
    for version in VERSIONS {
        world.serve("broker", REQUIRE, &format!("MaxProtocol = {version}"));
        await_connected(&world.manager(own(&world, "client.pem", "client.key")));
    }
}

#[test]
fn a_broker_that_wants_a_certificate_says_so() {
    for version in VERSIONS {
        let world = strict(Kind::Ec, version);
        let manager = world.manager(json!({}));
        await_line(&manager, ": the broker wants a client certificate, and connection.cert is not set");
        assert_eq!(manager.said(" connected\n"), 0);
    }
}

#[test]
fn a_certificate_that_the_broker_refuses_is_named_with_the_reason() {
    for version in VERSIONS {
        let world = strict(Kind::Ec, version);
        world.authority().sign("late", Kind::Ec, CLIENT, PAST);
        Authority::new(world.dir(), "stranger").sign("strange", Kind::Ec, CLIENT, NOW);
        for (name, why) in [("late", "expired, or not valid yet"), ("strange", "unknown authority")] {
            let manager = world.manager(own(&world, &format!("{name}.pem"), &format!("{name}.key")));
            let file = world.file(&format!("{name}.pem"));
            await_line(&manager, &format!(": the broker refuses our certificate in {file}: {why}"));
        }
    }
}

#[test]
fn a_certificate_that_nobody_asks_for_does_no_harm() {
    let world = World::start();
    world.authority().sign("client", Kind::Ec, CLIENT, NOW);
    await_connected(&world.manager(own(&world, "client.pem", "client.key")));
}

#[test]
fn a_key_of_somebody_else_is_refused_at_the_start() {
    let world = World::prepare();
    world.authority().sign("client", Kind::Ec, CLIENT, NOW);
    make_key(world.dir(), "other", Kind::Ec);
    let (code, said) = world.refused(own(&world, "client.pem", "other.key"));
    assert_eq!(code, Some(1));
    let (key, cert) = (world.file("other.key"), world.file("client.pem"));
    let line = format!("connection.key: the key in the file {key} does not belong to the certificate in {cert}\n");
    assert!(said.ends_with(&line), "{said}");
}
