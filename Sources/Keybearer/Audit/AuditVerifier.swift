/// Checks the chain of seals, event by event in the order of positions, and names the first that is not as it was.
package struct AuditVerifier: Sendable {
    /// How many events on each side of one that does not fit are tried for where it belongs.
    private static let window = 40

    private let keys: [MasterKeyID: AuditKey]
    private let head: AuditHead?
    private let first: Int64
    /// The position of the last event that was checked, and its seal.
    private var position: Int64
    private var code: [UInt8]?
    private var recent: [AuditRecord] = []
    /// How many events were checked.
    package private(set) var count = 0
    /// Of how many what tells who somebody is was erased.
    package private(set) var erased = 0

    /// - Parameters:
    ///   - start: the position and the seal behind which it begins; nil for the first event.
    ///   - head: what the log was known to hold.
    package init(keys: [MasterKeyID: AuditKey], behind start: AuditHead?, head: AuditHead? = nil) {
        self.keys = keys
        self.head = head
        position = start?.position ?? 0
        first = position + 1
        code = start?.code
    }

    /// Checks what is left of the events that were removed because of their age.
    ///
    /// - Throws: ``AuditFault`` when it was not signed here, or is another one than was known.
    package func check(_ checkpoint: AuditCheckpoint) throws(AuditFault) {
        guard let key = keys[checkpoint.keyID] else { throw .unknownKey(checkpoint.keyID, at: checkpoint.position) }
        guard key.signed(checkpoint) else { throw .checkpoint(checkpoint.position) }
        if let head, head.position == checkpoint.position, head.code != checkpoint.code {
            throw .otherHead(head.position)
        }
    }

    /// The position behind which the next page begins.
    package var nextPage: Int64 { position }

    /// Checks the events of the next page.
    ///
    /// - Throws: ``AuditFault`` for the first that is not as it was.
    package mutating func check(_ page: [AuditRecord]) throws(AuditFault) {
        for (index, record) in page.enumerated() {
            guard let place = record.position, let seal = record.seal, place == position + 1 else {
                throw .missing(position + 1)
            }
            guard let key = keys[seal.keyID] else { throw .unknownKey(seal.keyID, at: place) }
            guard Self.fits(record, seal) else { throw .changed(record.id, at: place) }
            guard key.sealed(record, with: seal, at: place, behind: code) else {
                let near = recent.suffix(Self.window) + page[index...].prefix(Self.window)
                throw Self.fault(of: record, seal, key, among: Array(near), at: place)
            }
            if let head, head.position == place, head.code != seal.code { throw .otherHead(place) }
            (position, code) = (place, seal.code)
            count += 1
            if record.isErased { erased += 1 }
        }
        recent = Array((recent + page).suffix(Self.window))
    }

    /// Checks that nothing is missing at the end.
    ///
    /// - Parameter last: the last position that was given, as the database says.
    package func finish(_ last: Int64) throws(AuditFault) {
        if position < last { throw .missing(position + 1) }
        if let head, head.position > position { throw .cut(behind: position, head: head.position) }
    }

    /// Whether a head is of an event that was removed because of its age, so that it says nothing.
    package var isHeadTooOld: Bool { head.map { $0.position < first - 1 } ?? false }

    /// Whether what is there of the members that can be erased is what was committed to.
    private static func fits(_ record: AuditRecord, _ seal: AuditSeal) -> Bool {
        guard let salt = seal.salt else { return record.personalMembers.allSatisfy { $0 == nil } }
        return constantTimeEquals(AuditKey.commitment(to: record, salt: salt), seal.commitment)
    }

    /// What is wrong with an event whose seal is another one: it may be whole, but at another place.
    private static func fault(
        of record: AuditRecord, _ seal: AuditSeal, _ key: AuditKey, among near: [AuditRecord], at place: Int64
    ) -> AuditFault {
        let codes = [nil] + near.map { $0.seal?.code }
        for other in near.compactMap(\.position) where other != place {
            for code in codes where key.sealed(record, with: seal, at: other, behind: code) {
                return .moved(record.id, at: place, belongsTo: other)
            }
        }
        return .changed(record.id, at: place)
    }
}

/// What is wrong with the audit log.
public enum AuditFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// An event is not what was sealed.
    case changed(String, at: Int64)
    /// An event stands where another one stood.
    case moved(String, at: Int64, belongsTo: Int64)
    /// An event is not there.
    case missing(Int64)
    /// The log ends before an event that it is known to have held.
    case cut(behind: Int64, head: Int64)
    /// There is another event at the position of a head.
    case otherHead(Int64)
    /// The checkpoint that retention left is not what was signed.
    case checkpoint(Int64)
    /// An event is sealed under a master key that is not at hand.
    case unknownKey(MasterKeyID, at: Int64)

    public var description: String {
        switch self {
        case .changed(let id, let place): "The event \(id) at position \(place) was changed after it was sealed."
        case .moved(let id, let place, let right):
            "The event \(id) at position \(place) belongs to position \(right): events were reordered."
        case .missing(let place): "The event at position \(place) is missing."
        case .cut(let place, let head):
            "The log ends at position \(place), but it held position \(head) when the head was exported: its end was cut "
                + "off, or an older backup was restored."
        case .otherHead(let place):
            "The event at position \(place) is not the one whose head was exported: the log was cut and continued, or an "
                + "older backup was restored."
        case .checkpoint(let place):
            "The checkpoint at position \(place), behind which the log begins, was changed."
        case .unknownKey(let id, let place):
            "The event at position \(place) is sealed under the master key \(id), which is neither in the master-key file "
                + "nor kept in the database. It cannot be checked."
        }
    }
}

/// The end of the audit log at some time, as it is noted elsewhere.
public struct AuditHead: Sendable, Hashable, CustomStringConvertible {
    /// The position of the last event.
    public let position: Int64
    /// Its seal.
    package let code: [UInt8]

    package init(position: Int64, code: [UInt8]) {
        self.position = position
        self.code = code
    }

    /// Reads ``description``.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count == 64, let position = Int64(parts[0]), position > 0,
            String(position) == parts[0]
        else { return nil }
        var code: [UInt8] = []
        var rest = parts[1]
        while !rest.isEmpty {
            guard rest.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let byte = UInt8(rest.prefix(2), radix: 16)
            else { return nil }
            code.append(byte)
            rest = rest.dropFirst(2)
        }
        self.init(position: position, code: code)
    }

    /// The position and the seal, such as `4711:9f86d0…`. It is no secret.
    public var description: String { "\(position):\(Self.hexadecimal(code))" }

    /// The seal in hexadecimal digits.
    public var seal: String { Self.hexadecimal(code) }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
