/// Finds lists of trusted networks that trust everyone, however they are spelt.
///
/// Whoever is trusted says who the client is. A list that holds every address that a client on the Internet can have
/// lets each client choose its own.
package enum TrustedListCheck {
    /// A list that trusts everyone.
    package struct Finding: Sendable, Equatable, CustomStringConvertible {
        /// Whose addresses are all trusted: `IPv4` or `IPv6`.
        let family: String
        /// The entries that do it together. Without any one of them the others would not.
        package let entries: [AddressRange]

        package var description: String {
            let list = entries.map { "'\($0)'" }.joined(separator: ", ")
            let subject = entries.count == 1 ? "\(list) contains" : "\(list) together contain"
            return "\(subject) every public \(family) address, so every client would be trusted"
        }
    }

    /// Looks for entries that together contain every public address of IPv4 or of IPv6.
    ///
    /// Public means: an address that a client on the Internet can have. Private, documentation, multicast and
    /// unassigned networks need not be in the list for it to trust everyone.
    package static func everyone(in list: [AddressRange]) -> Finding? {
        for family in [Family.v4, .v6] where family.isCovered(by: list) {
            var entries = list.filter { $0.bounds.overlaps(family.all) }
            for entry in entries {
                let others = entries.filter { $0 != entry }
                if family.isCovered(by: others) { entries = others }
            }
            return Finding(family: family.name, entries: entries)
        }
        return nil
    }

    /// A family's addresses, and those of them that no client on the Internet has.
    private struct Family: Sendable {
        let name: String
        let all: ClosedRange<UInt128>
        let others: [ClosedRange<UInt128>]

        init(_ name: String, all: String, others: [String]) {
            self.name = name
            self.all = AddressRange(all)?.bounds ?? 0...UInt128.max
            self.others = others.compactMap { AddressRange($0)?.bounds }
        }

        static let v4 = Family(
            "IPv4", all: "0.0.0.0/0",
            others: [
                "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
                "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
                "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
            ])
        /// Global unicast (RFC 4291). Of it, `3000::/4` is assigned to nobody but documentation.
        static let v6 = Family("IPv6", all: "2000::/3", others: ["2001:db8::/32", "3000::/4"])

        /// Whether the list leaves no public address of the family out.
        func isCovered(by list: [AddressRange]) -> Bool {
            let blocks = (list.map(\.bounds) + others).sorted { $0.lowerBound < $1.lowerBound }
            var next = all.lowerBound
            for block in blocks where block.upperBound >= next {
                if block.lowerBound > next { return false }
                if block.upperBound >= all.upperBound { return true }
                next = block.upperBound + 1
            }
            return false
        }
    }
}
