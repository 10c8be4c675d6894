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
    static let members = [
        Endpoint.FormField(
            name: "operations", isRequired: true, description: "What is to be done, in order; at most 1,000.",
            schema: [
                "type": "array", "minItems": 1, "maxItems": mostOperations,
                "items": [
                    "type": "object", "additionalProperties": false, "required": ["method", "path"],
                    "properties": [
                        "method": ["type": "string", "description": "POST, PUT, PATCH or DELETE."] as Schema,
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

    /// An operation whose route was found.
    private struct Call {
        let context: RequestContext
        let handler: @Sendable (OperatorRequest) async throws -> OperatorWrite<APIResponse>
        /// All that it names, as it names it.
        let named: Set<String>
        /// What it only looks at: others may look at it too, in the same transaction.
        let read: Set<String>
    }

    /// What was made of an operation.
    private struct Item: Sendable {
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
        var together: [Item] = []
        var performed: [Item] = []
        var touched: Set<String> = []
        let batch = writes.beginBatch(by: request.caller)
        func perform() async {
            await batch.perform(together.map(\.write.write))
            performed += together
            together = []
            touched = []
        }
        for (place, operation) in operations.enumerated() {
            let context = Self.context(of: operation, within: request)
            do {
                let call = try find(operation, context, token)
                // What it names may not be there yet, or be another afterwards.
                if !call.named.union(call.read).isDisjoint(with: touched) { await perform() }
                var item = try await makeItem(call, at: place, of: request)
                if !item.touched.isDisjoint(with: touched) {
                    await perform()
                    item = try await makeItem(call, at: place, of: request)
                }
                if item.write.write.runsAlone { await perform() }
                together.append(item)
                touched.formUnion(item.touched)
                if item.write.write.runsAlone || together.count == WriteService.mostTogether { await perform() }
            } catch {
                responses[place] = api.failure(error, of: context)
            }
        }
        await perform()
        let outcomes = await batch.finish()
        let ends = zip(performed, outcomes).filter { Self.endOfAuthority($0.1) != nil }
        // Where nothing was done, it is as if the request had come later.
        if let end = ends.first, ends.count == performed.count { _ = try end.1.get() }
        for (item, outcome) in zip(performed, outcomes) {
            do {
                responses[item.place] = try await item.write.present(try outcome.get())
            } catch {
                responses[item.place] = api.failure(error, of: request.context)
            }
        }
        if let end = ends.first, let error = Self.endOfAuthority(end.1) {
            // Nothing is told any more that was looked up behind it.
            for place in end.0.place..<operations.count { responses[place] = api.failure(error, of: request.context) }
        }
        return APIResponse.json(Self.envelope(responses.compactMap { $0 }))
    }

    /// That the token had ended before a transaction; nil for any other outcome.
    private static func endOfAuthority(_ outcome: Result<StoreWrite.Outcome, KeybearerError>) -> KeybearerError? {
        if case .failure(let error) = outcome, error.isEndOfAuthority { error } else { nil }
    }

    /// Finds the route of an operation.
    ///
    /// - Throws: `NOT_FOUND`; `BAD_REQUEST` for one that cannot be in a batch; `FORBIDDEN`.
    private func find(
        _ operation: Operation, _ context: RequestContext, _ token: OperatorToken
    ) throws(KeybearerError) -> Call {
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
        let text = { (name: String) -> String? in
            if case .text(let text) = operation.body?[name] { text } else { nil }
        }
        let members = [text("email")?.lowercased(), text("externalId").map { "ext:" + $0 }].compactMap { $0 }
        return Call(
            context: context, handler: handler, named: Set(parameters.values + members),
            read: Set(["owner", "plan", "transferTo", "nextPlan"].compactMap(text)))
    }

    private func makeItem(_ call: Call, at place: Int, of request: OperatorRequest) async throws -> Item {
        let write = try await call.handler(
            OperatorRequest(context: call.context, caller: request.caller, place: place))
        let audit = write.write.audit
        let changed = [audit.userID?.rawValue, audit.workspaceID?.rawValue].compactMap { $0 }
        return Item(place: place, write: write, touched: call.named.union(changed))
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
            input.report("operations", "Send 1 to 1,000 operations.")
        }
        var operations: [Operation] = []
        for (place, value) in values.enumerated() {
            guard let operation = Operation(value) else {
                input.report(
                    "operations",
                    "Operation \(place) is none: send method, path and, where one is needed, body.")
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
            case .text(let path) = members["path"], path.utf8.first == UInt8(ascii: "/"),
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
