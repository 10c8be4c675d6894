/// The networks from which a key may be used, 1 to 20 of them, where it is not every address.
///
/// They belong to the account: a regenerate leaves them as they are. An address that is not known is in none of them.
public struct AllowedNetworks: Sendable, Hashable {
    /// The most that a key has.
    public static let most = 20

    /// In the order in which they were given, none twice.
    public let ranges: [AddressRange]

    /// Reads networks as somebody wrote them. Written twice, a network counts once.
    ///
    /// - Parameter texts: each `10.0.0.0/8`, `2001:db8::/32` or one address.
    /// - Throws: `VALIDATION_FAILED` with the field `networks` where one is not accepted, or there is none;
    ///   `CONFLICT` for more than ``most``.
    public init(parsing texts: [String]) throws(KeybearerError) {
        var ranges: [AddressRange] = []
        for text in texts {
            let range: AddressRange
            do {
                range = try AddressRange(parsing: text.cut(toBytes: 64))
            } catch {
                throw KeybearerError.validation(["networks": error.description + "."])
            }
            if !ranges.contains(where: { $0.block == range.block }) { ranges.append(range) }
        }
        guard !ranges.isEmpty else { throw KeybearerError.validation(["networks": Self.emptyProblem]) }
        guard ranges.count <= Self.most else { throw Self.tooMany(ranges.count) }
        self.ranges = ranges
    }

    /// Those that hold these addresses, as ``AddressRange/init(around:)`` makes them; nil for none.
    ///
    /// - Parameter addresses: up to ``most`` of them count.
    public init?(around addresses: [IPAddress]) {
        var ranges: [AddressRange] = []
        for address in addresses where address.isClient {
            let range = AddressRange(around: address)
            if ranges.count < Self.most, !ranges.contains(range) { ranges.append(range) }
        }
        guard !ranges.isEmpty else { return nil }
        self.ranges = ranges
    }

    /// Reads ``storedForm``; nil for what is none.
    package init?(storedForm: String) {
        let ranges = storedForm.split(separator: " ").map { AddressRange(String($0)) }
        let read = ranges.compactMap(\.self)
        guard !read.isEmpty, read.count == ranges.count else { return nil }
        self.ranges = read
    }

    /// Separated by spaces, each in its one form.
    package var storedForm: String { texts.joined(separator: " ") }

    /// Each in its one form.
    public var texts: [String] { ranges.map(\.canonicalForm) }

    /// Whether requests from an address pass. One that is not known does not.
    public func allow(_ address: IPAddress) -> Bool { Self.allow(address, in: ranges.map(\.block)) }

    /// The same for what a cached account holds. Allocates nothing.
    static func allow(_ address: IPAddress, in blocks: [AddressRange.Block]) -> Bool {
        guard address.isClient else { return false }
        for block in blocks where block.contains(address) { return true }
        return false
    }

    /// How many there are, for the audit log: which ones is nobody's to keep when the account is erased.
    package static func describe(_ networks: AllowedNetworks?) -> String {
        guard let networks else { return "every address" }
        return networks.ranges.count == 1 ? "1 network" : "\(networks.ranges.count) networks"
    }

    private static let emptyProblem = "Name 1 to \(most) networks."

    private static func tooMany(_ count: Int) -> KeybearerError {
        KeybearerError(.conflict, "A key has at most \(most) allowed networks; these are \(count).")
    }

    public static func == (left: AllowedNetworks, right: AllowedNetworks) -> Bool {
        left.ranges.map(\.block) == right.ranges.map(\.block)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(ranges.map(\.block)) }
}
