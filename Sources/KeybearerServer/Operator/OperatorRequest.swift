import HTTPTypes
import HummingbirdCore
import Keybearer
import NIOCore

/// A request of an operator's program whose token was accepted: alone, or one of a batch.
struct OperatorRequest: Sendable {
    let context: RequestContext
    let caller: OperatorCaller
    /// Which one of a batch it is; nil for a request of its own.
    var place: Int?

    /// The user that the path names.
    func user(_ parameter: String = "user") throws(KeybearerError) -> Reference<UserID> {
        guard let reference = Reference<UserID>(context.parameters[parameter] ?? "") else {
            throw KeybearerError(.notFound, "There is no such account.")
        }
        return reference
    }

    /// The workspace that the path names.
    func workspace() throws(KeybearerError) -> Reference<WorkspaceID> {
        guard let reference = Reference<WorkspaceID>(context.parameters["workspace"] ?? "") else {
            throw KeybearerError(.notFound, "There is no such workspace.")
        }
        return reference
    }

    /// The version that the caller has seen; nil where it did not say.
    func version() throws(KeybearerError) -> Int? {
        guard let value = try context.single(.ifMatch) else { return nil }
        let text =
            value.hasPrefix("\"") && value.hasSuffix("\"") && value.count > 1
            ? value.dropFirst().dropLast() : value[...]
        guard let version = Int(text), version > 0 else {
            throw KeybearerError(.badRequest, "If-Match must be a version, such as \"3\".")
        }
        return version
    }

    /// Refuses a version where none is looked at: a caller that sends one relies on it.
    func requireNoVersion() throws(KeybearerError) {
        guard context.headers[values: .ifMatch].isEmpty else {
            throw KeybearerError(.badRequest, "If-Match is not looked at here: leave it out.")
        }
    }

    /// The idempotency key with all that is asked for; nil where none was sent.
    func idempotent() throws(KeybearerError) -> IdempotentRequest? {
        guard let key = try idempotencyKey() else { return nil }
        return try WriteService.request(key: key, place: place, asked: context.asked, by: caller)
    }

    /// The idempotency key as it was sent.
    func idempotencyKey() throws(KeybearerError) -> String? { try context.single(HeaderName.idempotencyKey) }

    /// Whether anything was sent as a body.
    var hasBody: Bool { context.content.readableBytes > 0 }

    /// The members of the body.
    func input(_ known: [Endpoint.FormField]) throws(KeybearerError) -> JSONInput { try JSONInput(context, known) }

    /// A part of a list that is in memory, as the parameters ``Endpoint/Parameter/cursor`` ask for it.
    ///
    /// - Parameter place: the text by which the list is ordered, another one for each entry.
    func page<Entry, Noun: JSONNoun>(
        of entries: [Entry], by place: (Entry) -> String, _ json: (Entry) throws -> Noun
    ) throws -> CursorPage<Noun> {
        let query = try query(Endpoint.Parameter.cursor)
        let limit = try query.number("limit", default: 100, upTo: 1_000)
        var rest = entries.map { (place: place($0), entry: $0) }.sorted { $0.place < $1.place }
        if let cursor = query["cursor"] {
            let last = try ListPlace(cursor: cursor).id
            rest.removeAll { $0.place <= last }
        }
        let shown = rest.prefix(limit)
        let next =
            rest.count > limit
            ? shown.last.map { ListPlace(createdAt: Timestamp(millisecondsSinceEpoch: 0), id: $0.place).cursor } : nil
        return CursorPage(try shown.map { try json($0.entry) }, limit: limit, next: next)
    }

    /// The query's parameters.
    ///
    /// - Parameter known: the names that it may have.
    /// - Throws: `BAD_REQUEST` for others: a filter that is misspelt must not answer everything.
    func query(_ known: [Endpoint.Parameter]) throws(KeybearerError) -> [String: String] {
        guard let query = context.query else { throw KeybearerError(.badRequest, "The query could not be read.") }
        let names = Set(known.map(\.name))
        if let unknown = query.keys.sorted().first(where: { !names.contains($0) }) {
            throw KeybearerError(.badRequest, "The parameter '\(unknown.prefix(40))' is not known.")
        }
        return query
    }
}

/// A write that a handler has made of a request, and what its answer is made of.
struct OperatorWrite<Value: Sendable>: Sendable {
    let write: StoreWrite
    let present: @Sendable (StoreWrite.Outcome) async throws -> Value

    func map<Other: Sendable>(_ transform: @escaping @Sendable (Value) throws -> Other) -> OperatorWrite<Other> {
        let present = present
        return OperatorWrite<Other>(write: write) { try transform(try await present($0)) }
    }
}

extension [String: String] {
    /// A whole number from 1, or what stands for it where there is none.
    func number(_ name: String, default fallback: Int, upTo most: Int) throws(KeybearerError) -> Int {
        guard let text = self[name] else { return fallback }
        guard let number = Int(text), (1...most).contains(number), String(number) == text else {
            throw KeybearerError(.badRequest, "\(name) must be a whole number from 1 to \(most).")
        }
        return number
    }

    /// A point in time.
    func time(_ name: String) throws(KeybearerError) -> Timestamp? {
        guard let text = self[name] else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            throw KeybearerError(.badRequest, "\(name) must be a time such as 2026-01-31T12:00:00Z.")
        }
        return time
    }

    /// One of a closed list of words.
    func word<Word: RawRepresentable<String> & CaseIterable>(_ name: String, _: Word.Type) throws(KeybearerError)
        -> Word?
    {
        guard let text = self[name] else { return nil }
        guard let word = Word(rawValue: text) else {
            throw KeybearerError(
                .badRequest, "\(name) must be one of: \(Word.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return word
    }
}
