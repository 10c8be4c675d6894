import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Keybearer
import NIOCore

/// `POST /operator/v1/batch`: many writes in order, each as if it had been sent alone.
///
/// Up to 100 of them share a transaction, in which each can fail alone. A batch is no transaction as a whole: with an
/// `Idempotency-Key`, one that is sent again goes on where it ended.
struct BatchHandler: Sendable {
    let routes: RouteTable
    let writes: WriteService
    let api: APIResponder

    static let mostOperations = 1_000
    fileprivate static let methods = ["POST", "PUT", "PATCH", "DELETE"]
    static let members = [
        Endpoint.FormField(
            name: "operations", isRequired: true, description: "What is to be done, in order; at most 1,000.",
            schema: [
                "type": "array", "minItems": 1, "maxItems": mostOperations,
                "items": [
                    "type": "object", "additionalProperties": false, "required": ["method", "path"],
                    "properties": [
                        "method": ["type": "string", "enum": methods] as Schema,
                        "path": ["type": "string", "pattern": "^/", "description": "Such as /users/ext:42."]
                            as Schema,
                        "body": ["type": "object"] as Schema,
                    ] as Schema,
                ] as Schema,
            ])
    ]

    /// One of the operations.
    fileprivate struct Operation {
        let method: String
        let path: String
        let body: [String: JSONValue]?
    }

    /// What was made of an operation.
    private struct Prepared: Sendable {
        let place: Int
        let write: OperatorWrite<APIResponse>
        /// All that it names and changes. Two operations that share any of it are never in one transaction: the second
        /// sees what the first did.
        let touched: Set<String>
    }

    func respond(to request: OperatorRequest, token: OperatorToken) async throws -> APIResponse {
        let operations = try Self.operations(of: request)
        // One that is malformed refuses the batch, and not each operation.
        _ = try request.idempotent()
        var responses = [APIResponse?](repeating: nil, count: operations.count)
        var together: [Prepared] = []
        var performed: [Prepared] = []
        let batch = writes.beginBatch(by: request.caller)
        func perform() async {
            await batch.perform(together.map(\.write.write))
            performed += together
            together = []
        }
        for (place, operation) in operations.enumerated() {
            let context = Self.context(of: operation, within: request)
            do {
                var prepared = try await prepare(operation, context, at: place, of: request, token)
                let touched = together.reduce(into: Set<String>()) { $0.formUnion($1.touched) }
                if !prepared.touched.isDisjoint(with: touched) {
                    await perform()
                    // What it names may be another now.
                    prepared = try await prepare(operation, context, at: place, of: request, token)
                }
                if prepared.write.write.runsAlone { await perform() }
                together.append(prepared)
                if prepared.write.write.runsAlone || together.count == WriteService.mostTogether { await perform() }
            } catch {
                responses[place] = api.failure(error, of: context)
            }
        }
        await perform()
        let outcomes = await batch.finish()
        if performed.count == operations.count, let error = Self.endOfAuthority(outcomes) { throw error }
        for (prepared, outcome) in zip(performed, outcomes) {
            do {
                responses[prepared.place] = try await prepared.write.present(try outcome.get())
            } catch {
                responses[prepared.place] = api.failure(error, of: request.context)
            }
        }
        return APIResponse.json(Self.envelope(responses.compactMap { $0 }))
    }

    /// Why nothing was done: the token ended before the first transaction, as if the request had come later.
    private static func endOfAuthority(
        _ outcomes: [Result<StoreWrite.Outcome, KeybearerError>]
    ) -> KeybearerError? {
        let errors = outcomes.compactMap { if case .failure(let error) = $0 { error } else { nil } }
        return errors.count == outcomes.count && errors.allSatisfy(\.isEndOfAuthority) ? errors.first : nil
    }

    private func prepare(
        _ operation: Operation, _ context: RequestContext, at place: Int, of request: OperatorRequest,
        _ token: OperatorToken
    ) async throws -> Prepared {
        guard let (matched, parameters) = routes.find(operation.fullPath[...]),
            let method = HTTPRequest.Method(operation.method), let route = matched.routes[method],
            case .operatorToken(let scope, let handler) = route.access
        else { throw KeybearerError(.notFound, "There is no such operation.") }
        guard case .write(let handler) = handler else {
            throw KeybearerError(.badRequest, "This operation cannot be in a batch. Send it alone.")
        }
        if let scope { try token.require(scope) }
        var context = context
        context.parameters = parameters
        let write = try await handler(OperatorRequest(context: context, caller: request.caller, place: place))
        let named =
            parameters.values
            + ["email", "externalId", "owner", "plan"].compactMap { name in
                guard case .text(let text) = operation.body?[name] else { return nil }
                return name == "externalId" ? "ext:" + text : text.lowercased()
            }
        let audit = write.write.audit
        let changed = [audit.userID?.rawValue, audit.workspaceID?.rawValue].compactMap { $0 }
        return Prepared(place: place, write: write, touched: Set(named + changed))
    }

    /// The operation as a request of its own, with the batch's idempotency key.
    private static func context(of operation: Operation, within request: OperatorRequest) -> RequestContext {
        var headers: HTTPFields = [.contentType: "application/json"]
        headers[HeaderName.idempotencyKey] = request.context.headers[HeaderName.idempotencyKey]
        let head = HTTPRequest(
            method: HTTPRequest.Method(operation.method) ?? .get, scheme: nil, authority: nil,
            path: operation.fullPath, headerFields: headers)
        var context = RequestContext(
            request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), client: request.context.client,
            requestID: request.context.requestID, parameters: [:])
        if let body = operation.body, let bytes = try? JSONText.encode(body) {
            context.content = ByteBuffer(bytes: bytes)
        }
        return context
    }

    private static func operations(of request: OperatorRequest) throws(KeybearerError) -> [Operation] {
        var input = try request.input(members)
        guard let values = input.array("operations") else {
            try input.finish()
            return []
        }
        if !(1...mostOperations).contains(values.count) {
            input.note("operations", "Send 1 to 1,000 operations.")
        }
        var operations: [Operation] = []
        for (place, value) in values.enumerated() {
            guard let operation = Operation(value) else {
                input.note(
                    "operations",
                    "Operation \(place) is none: send method (one of \(methods.joined(separator: ", "))), path and, "
                        + "where one is needed, body.")
                break
            }
            operations.append(operation)
        }
        try input.finish()
        return operations
    }

    private static func envelope(_ responses: [APIResponse]) -> [UInt8] {
        var text: [UInt8] = Array(#"{"results":["#.utf8)
        for (place, response) in responses.enumerated() {
            if place > 0 { text.append(UInt8(ascii: ",")) }
            text += Array(#"{"status":\#(response.status.code)"#.utf8)
            if response.body.readableBytes > 0 { text += Array(#","body":"#.utf8) + response.body.readableBytesView }
            text.append(UInt8(ascii: "}"))
        }
        return Envelope.success(text + Array("]}".utf8))
    }
}

extension BatchHandler.Operation {
    fileprivate init?(_ value: JSONValue) {
        guard case .object(let members) = value, case .text(let method) = members["method"],
            BatchHandler.methods.contains(method), case .text(let path) = members["path"],
            path.utf8.first == UInt8(ascii: "/"),
            Set(members.keys).isSubset(of: ["method", "path", "body"])
        else { return nil }
        switch members["body"] {
        case nil: body = nil
        case .object(let object): body = object
        default: return nil
        }
        (self.method, self.path) = (method, path)
    }

    fileprivate var fullPath: String { Routes.operatorRoot + path }
}
