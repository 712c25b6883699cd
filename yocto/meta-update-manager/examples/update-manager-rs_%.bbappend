# An example for your own layer, as recipes-management/update-manager/update-manager-rs_%.bbappend
# (update-manager-rs-bin_%.bbappend for the other recipe), with the files beside it.
FILESEXTRAPATHS:prepend := "${THISDIR}/update-manager:"

# The configuration in update-manager/config.json takes the place of the layer's: another
# domain, two agents, TLS to the broker. The unit's drop-in adds the password's file.
SRC_URI += "file://tls.conf;subdir=${BP}"

do_install:append() {
    install -D -m 0644 ${S}/tls.conf ${D}${sysconfdir}/systemd/system/kanto-update-manager.service.d/tls.conf
}

FILES:${PN} += "${sysconfdir}/systemd/system/kanto-update-manager.service.d"
