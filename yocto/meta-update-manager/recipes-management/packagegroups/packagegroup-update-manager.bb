SUMMARY = "Update Manager and, by what it recommends, a broker"
DESCRIPTION = "What a gateway needs to be brought to a desired state; an example to take or to copy."
SECTION = "net"

inherit packagegroup

# Whoever provides update-manager: update-manager-rs, or what PREFERRED_RPROVIDER says.
RDEPENDS:${PN} = "update-manager"
