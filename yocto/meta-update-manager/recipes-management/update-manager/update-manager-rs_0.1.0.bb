SUMMARY = "Brings update agents to one desired state over MQTT"
DESCRIPTION = "Takes the place of Eclipse Kanto's Update Manager: same protocol, configuration and paths."
# Its own, and those of the crates in it; each crate's is in the package.
LICENSE = "(Apache-2.0 | MIT) & Apache-2.0 & BSD-3-Clause & ISC & MIT"
LIC_FILES_CHKSUM = "\
    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://LICENSE-MIT;md5=9c74f457280dc29c04976fcee638212e \
"

require update-manager.inc
require update-manager-rs-crates.inc

# Cargo wants to see each target that Cargo.toml names, though it builds one.
SRC_URI += "\
    file://Cargo.toml;subdir=${BP} \
    file://Cargo.lock;subdir=${BP} \
    file://LICENSE-APACHE;subdir=${BP} \
    file://LICENSE-MIT;subdir=${BP} \
    file://README.md;subdir=${BP} \
    file://src;subdir=${BP} \
    file://examples;subdir=${BP} \
    file://tests;subdir=${BP} \
    file://crates;subdir=${BP} \
"

inherit cargo

# TLS to the broker; agents that are executables.
PACKAGECONFIG ??= "tls exec"
PACKAGECONFIG[tls] = ""
PACKAGECONFIG[exec] = ""

UM_FEATURES = "--no-default-features --features=${@','.join(d.getVar('PACKAGECONFIG').split())}"
CARGO_BUILD_FLAGS += "--bin update-manager ${UM_FEATURES}"

# The C and assembler in crates lies outside of what Yocto takes the build's paths from.
CFLAGS:append = " -ffile-prefix-map=${CARGO_HOME}=${TARGET_DBGSRC_DIR}/cargo_home"
# Yocto strips, and keeps the symbols in the package for debugging.
export CARGO_PROFILE_RELEASE_STRIP = "none"
# libstd-rs serves one strategy: the crate panic_abort in it cannot abort otherwise.
export CARGO_PROFILE_RELEASE_PANIC = "${RUST_PANIC_STRATEGY}"

do_install() {
    um_install ${B}/target/${CARGO_TARGET_SUBDIR}/update-manager
    # Without exec there is no agent that the unit could start.
    if ${@bb.utils.contains('PACKAGECONFIG', 'exec', 'false', 'true', d)}; then
        rm -r ${D}${UM_SYSUNIT_DD}/update-manager-agent@* ${D}${UM_SYSUNIT_DD}/update-manager-mark-good.service \
            ${D}${libexecdir}/update-manager
    fi
    install -d ${D}${datadir}/licenses/update-manager
    cd ${S}
    python3 crates licences --target ${RUST_HOST_SYS} ${UM_FEATURES} \
        >${D}${datadir}/licenses/update-manager/crates.txt
}
