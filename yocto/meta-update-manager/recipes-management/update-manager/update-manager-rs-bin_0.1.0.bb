SUMMARY = "Brings update agents to one desired state over MQTT, static binary"
DESCRIPTION = "The program of update-manager-rs as a static binary, for build hosts that have no Rust for it."
LICENSE = "(Apache-2.0 | MIT) & Apache-2.0 & BSD-3-Clause & ISC & MIT"
LIC_FILES_CHKSUM = "\
    file://static/LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://static/LICENSE-MIT;md5=9c74f457280dc29c04976fcee638212e \
"

require update-manager.inc
require update-manager-rs-bin-sums.inc

# The folder of packaging/build, or a mirror's address.
UM_PACKAGES ?= "file://${@os.path.abspath('${THISDIR}/../../../../target/packages')}"
UM_ARCH = "${@{'arm': 'armv7', 'aarch64': 'aarch64', 'x86_64': 'x86_64'}.get(d.getVar('TARGET_ARCH'), 'none')}"
UM_PACKAGE = "${UM_PACKAGES}/update-manager-${PV}-${UM_ARCH}.tar.gz"
UM_SHA256 = "${@d.getVarFlag('SRC_URI', d.getVar('UM_ARCH') + '.sha256sum')}"
UM_URI = "${UM_PACKAGE};subdir=${BP}/static;striplevel=1;sha256sum=${UM_SHA256}"
# nooelint: oelint.vars.srcurioptions
SRC_URI += "${UM_URI}"

# bitbake checks what it downloads, but no local file.
python um_verify() {
    path = bb.fetch2.Fetch([d.getVar("UM_URI")], d).localpaths()[0]
    if bb.utils.sha256_file(path) != d.getVar("UM_SHA256"):
        bb.fatal("%s is another one than packaging/build --record has seen" % path)
}
um_verify[doc] = "Fails if the package is not the recorded one"
do_unpack[prefuncs] += "um_verify"

# A local file that is missing would end the parsing of all layers.
# nooelint: oelint.task.noanonpython
python () {
    scheme, _, path = d.getVar("UM_PACKAGE").partition("://")
    if scheme == "file":
        bb.parse.mark_dependency(d, path)
        if not os.path.exists(path):
            raise bb.parse.SkipRecipe("there is no %s: make it by packaging/build, or set UM_PACKAGES" % path)
}

COMPATIBLE_HOST = "(arm|aarch64|x86_64).*-linux.*"
# The binary for arm has Thumb-2, which came with ARMv7-A.
# nooelint: oelint.vars.specific
COMPATIBLE_HOST:arm = "${@bb.utils.contains_any('TUNE_FEATURES', 'armv7a armv7ve armv8a', 'arm.*-linux.*', 'null', d)}"

# It is stripped and static.
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INHIBIT_SYSROOT_STRIP = "1"
# nooelint: oelint.vars.insaneskip
INSANE_SKIP:${PN} = "already-stripped"
do_configure[noexec] = "1"
do_compile[noexec] = "1"

RCONFLICTS:${PN} += "update-manager-rs"

do_install() {
    um_install ${S}/static/update-manager
    install -D -m 0644 ${S}/static/crates.txt ${D}${datadir}/licenses/update-manager/crates.txt
}
