import Foundation
import HTTPTypes
import Keybearer
import NIOCore

/// The JSON object of a request's body, member by member.
///
/// Everything that is wrong with it is found before it is refused: each member of another type, each that is missing,
/// and each that is not known.
struct JSONInput {
    private let members: [String: JSONValue]
    private var problems: [String: String] = [:]

    /// Reads the body.
    ///
    /// - Parameter known: the members that it may have.
    /// - Throws: `UNSUPPORTED_MEDIA_TYPE`; `BAD_REQUEST` for what is no JSON object.
    init(_ context: RequestContext, _ known: [Endpoint.FormField]) throws(KeybearerError) {
        self.init(try Self.object(context), known)
    }

    /// Reads an object of ``foundationObject(_:mostLevels:)``.
    init(_ object: [String: Any], _ known: some Sequence<Endpoint.FormField>) {
        self.init(object.mapValues { JSONValue($0) }, Array(known))
    }

    private init(_ members: [String: JSONValue], _ known: [Endpoint.FormField]) {
        self.members = members
        let names = Set(known.map(\.name))
        for name in members.keys.filter({ !names.contains($0) }).sorted().prefix(20) {
            problems[name] = "This member is not known."
        }
        for member in known where member.isRequired && members[member.name] == nil {
            problems[member.name] = "It is required."
        }
    }

    /// The body as a JSON object.
    static func object(_ context: RequestContext) throws(KeybearerError) -> [String: JSONValue] {
        let data = try data(context, mostLevels: mostLevels)
        guard let object = try? JSONDecoder().decode([String: JSONValue].self, from: data) else { throw noObject }
        return object
    }

    /// The same with whole numbers of 64 bits as they were sent: for what is passed on.
    static func foundationObject(_ context: RequestContext, mostLevels: Int) throws(KeybearerError) -> [String: Any] {
        let data = try data(context, mostLevels: mostLevels)
        guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else { throw noObject }
        return object
    }

    /// The JSON of an object of ``foundationObject(_:mostLevels:)``, with its members in the order of their names; nil for
    /// what is none.
    static func bytes(ofObject value: Any) -> [UInt8]? {
        guard let object = value as? [String: Any] else { return nil }
        let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return data.map { Array($0) }
    }

    private static let noObject = KeybearerError(.badRequest, "The body is not a JSON object.")

    private static func data(_ context: RequestContext, mostLevels: Int) throws(KeybearerError) -> Data {
        let type = context.headers[.contentType]?.split(separator: ";").first?.lowercased()
        guard type?.filter({ $0 != " " }) == "application/json" else {
            throw KeybearerError(.unsupportedMediaType, "Send JSON, with Content-Type: application/json.")
        }
        let data = Data(context.content.readableBytesView)
        guard isShallow(data, mostLevels: mostLevels) else {
            throw KeybearerError(.badRequest, "The body is nested more than \(mostLevels) levels deep.")
        }
        return data
    }

    /// The deepest that any request needs is an external id in the body of an operation of a batch: four levels.
    private static let mostLevels = 8

    /// Whether brackets are nested no deeper than that: the work of reading JSON grows with its depth.
    private static func isShallow(_ data: Data, mostLevels: Int) -> Bool {
        var (depth, isText, isEscaped) = (0, false, false)
        for byte in data {
            if isText {
                let isQuote = byte == UInt8(ascii: "\"") && !isEscaped
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                if isQuote { isText = false }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isText = true
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            default: break
            }
            if depth > mostLevels { return false }
        }
        return true
    }

    /// Whether a member was sent, `null` included.
    func has(_ name: String) -> Bool { members[name] != nil }

    /// A text; nil where it was not sent.
    mutating func text(_ name: String) -> String? {
        guard let value = members[name] else { return nil }
        guard case .text(let text) = value else { return refuse(name, "It must be a text.") }
        return text
    }

    /// Yes or no; nil where it was not sent.
    mutating func flag(_ name: String) -> Bool? {
        guard let value = members[name] else { return nil }
        guard case .flag(let flag) = value else { return refuse(name, "It must be true or false.") }
        return flag
    }

    /// A whole number in a range; nil where it was not sent.
    mutating func number(_ name: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = members[name] else { return nil }
        guard case .number(let number) = value, let whole = Int(exactly: number), range.contains(whole) else {
            return refuse(name, "It must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return whole
    }

    /// A whole number in a range that may be `null`; nil for that, and where it was not sent.
    mutating func optionalNumber(_ name: String, in range: ClosedRange<Int>) -> Int? {
        members[name] == .null ? nil : number(name, in: range)
    }

    /// A point in time that may be `null`; nil for that, and where it was not sent.
    mutating func time(_ name: String) -> Timestamp? {
        guard let text = optionalText(name) else { return nil }
        return Timestamp(rfc3339: text) ?? refuse(name, "It must be a time such as 2026-01-31T12:00:00Z.")
    }

    /// Values; nil where they were not sent.
    mutating func array(_ name: String) -> [JSONValue]? {
        guard let value = members[name] else { return nil }
        guard case .array(let values) = value else { return refuse(name, "It must be a list.") }
        return values
    }

    /// Texts that may be `null`; nil for that, and where they were not sent.
    mutating func optionalTexts(_ name: String) -> [String]? { members[name] == .null ? nil : texts(name) }

    /// An object within the body; nil where it was not sent. What is wrong with its members is reported as `name.member`
    /// by ``take(_:as:)``.
    mutating func object(_ name: String, _ known: [Endpoint.FormField]) -> JSONInput? {
        guard let value = members[name] else { return nil }
        guard case .object(let object) = value else { return refuse(name, "It must be an object.") }
        return JSONInput(object, known)
    }

    /// Reports what is wrong with an object within the body.
    mutating func take(_ inner: JSONInput, as name: String) {
        for (member, problem) in inner.problems { problems["\(name).\(member)"] = problem }
    }

    /// Texts; nil where they were not sent.
    mutating func texts(_ name: String) -> [String]? {
        guard let value = members[name] else { return nil }
        guard case .array(let values) = value else { return refuse(name, "It must be a list of texts.") }
        let texts = values.compactMap { if case .text(let text) = $0 { text } else { nil } }
        return texts.count == values.count ? texts : refuse(name, "It must be a list of texts.")
    }

    /// The product's id, which `null` clears.
    mutating func externalID(_ name: String) -> MemberChange<ExternalID> {
        switch members[name] {
        case nil: return .unchanged
        case .null: return .cleared
        case .text(let text):
            if let id = ExternalID(parsing: text) { return .set(id) }
            fallthrough
        default:
            problems[name] = ExternalID.rule
            return .unchanged
        }
    }

    /// A key that is to be imported: `{"import": "…"}`; nil where it was not sent.
    mutating func keyToImport(_ name: String) -> KeyToImport? {
        guard let value = members[name] else { return nil }
        guard case .object(let object) = value, case .text(let text) = object["import"], object.count == 1 else {
            return refuse(name, "It must be an object with the member import, a text.")
        }
        return KeyToImport(text)
    }

    /// A text that may be `null`; nil for both, and where it was not sent.
    mutating func optionalText(_ name: String) -> String? { members[name] == .null ? nil : text(name) }

    /// Reports that a member cannot be what it is.
    mutating func report(_ name: String, _ problem: String) { problems[name] = problem }

    /// What is wrong so far.
    var found: [String: String] { problems }

    /// Reports it where nothing was found about the member.
    mutating func reportIfAbsent(_ name: String, _ problem: String) {
        if problems[name] == nil { report(name, problem) }
    }

    /// Reports it where nothing else was found.
    mutating func reportIfAlone(_ name: String, _ problem: String) {
        if problems.isEmpty { report(name, problem) }
    }

    private mutating func refuse<Value>(_ name: String, _ problem: String) -> Value? {
        report(name, problem)
        return nil
    }

    /// Refuses all that was found.
    ///
    /// - Throws: `VALIDATION_FAILED`.
    func finish() throws(KeybearerError) {
        if !problems.isEmpty { throw KeybearerError.validation(problems) }
    }
}
