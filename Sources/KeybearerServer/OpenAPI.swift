import Foundation
import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore
import Synchronization

/// The OpenAPI 3.1 document: every route that a program calls, as the list of routes has it. `HEAD` and `OPTIONS`, which
/// every path of the API answers, are left out.
struct OpenAPI: Sendable {
    /// The routes to describe; those of pages and probes have no description and are left out.
    let routes: [Route]
    /// What the document calls the product.
    let product: ProductName
    /// Where clients reach the server.
    let place: Place

    /// The document as JSON.
    func document() throws -> [UInt8] {
        var paths: [String: Schema] = [:]
        var nouns: [String: any JSONNoun.Type] = [FailureJSON.noun: FailureJSON.self]
        for route in routes {
            guard let endpoint = route.endpoint else { continue }
            paths[route.path, default: [:]][route.method.rawValue.lowercased()] = Self.operation(route, endpoint)
            if let apiURL = place.apiURL, RouteTable.isAPI(route.path[...]) {
                paths[route.path]?["servers"] = [["url": apiURL.description]]
            }
            for noun in endpoint.returns.nouns { nouns[noun.noun] = noun }
        }
        let document: Schema = [
            "openapi": "3.1.0",
            "info": ["title": product.description, "version": KeybearerVersion.current],
            "servers": [["url": place.publicURL?.description ?? "/"]],
            "paths": paths,
            "components": [
                "schemas": nouns.mapValues { $0.definition },
                "securitySchemes": [
                    Self.secretKey: ["type": "http", "scheme": "bearer", "description": "A Secret Key."] as Schema,
                    Self.operatorToken: ["type": "http", "scheme": "bearer", "description": "An operator token."]
                        as Schema,
                ] as Schema,
            ] as Schema,
        ]
        return [UInt8](
            try JSONSerialization.data(
                withJSONObject: document, options: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]))
    }

    private static let secretKey = "secretKey"
    private static let operatorToken = "operatorToken"

    private static func operation(_ route: Route, _ endpoint: Endpoint) -> Schema {
        var operation: Schema = [
            "summary": endpoint.summary,
            "operationId": identifier(route.method.rawValue, route.path),
            "security": security(of: route.access),
            "responses": responses(route, endpoint),
        ]
        let parameters = pathParameters(of: route) + (endpoint.parameters + route.access.parameters).map(object)
        if !parameters.isEmpty { operation["parameters"] = parameters }
        if let content = requestContent(of: endpoint.body) {
            operation["requestBody"] = ["required": endpoint.body.isRequired, "content": content] as Schema
        }
        return operation
    }

    private static func security(of access: Route.Access) -> [[String: [String]]] {
        switch access {
        case .key: [[secretKey: []]]
        case .operatorToken: [[operatorToken: []]]
        case .probe, .anyone, .session: []
        }
    }

    private static func pathParameters(of route: Route) -> [Schema] {
        route.pathParameters.map { ["name": $0.name, "in": "path", "required": true, "schema": $0.schema] }
    }

    private static func object(_ parameter: Endpoint.Parameter) -> Schema {
        [
            "name": parameter.name, "in": parameter.place.rawValue, "description": parameter.description,
            "schema": parameter.schema,
        ]
    }

    private static func requestContent(of body: Endpoint.RequestContent) -> Schema? {
        guard let type = body.mediaType else { return nil }
        switch body {
        case .nothing: return nil
        case .emptyObject:
            return [type: ["schema": ["type": "object", "additionalProperties": false] as Schema] as Schema]
        case .form(let inputs), .json(let inputs, _), .optionalJSON(let inputs):
            let properties = inputs.map { field -> (String, Schema) in
                (field.name, field.schema.merging(["description": field.description]) { $1 })
            }
            var schema: Schema = [
                "type": "object", "properties": Dictionary(uniqueKeysWithValues: properties),
                "required": inputs.filter(\.isRequired).map(\.name),
            ]
            if case .form = body {} else { schema["additionalProperties"] = false }
            return [type: ["schema": schema] as Schema]
        }
    }

    private static func responses(_ route: Route, _ endpoint: Endpoint) -> Schema {
        var responses: Schema = [:]
        for (status, codes) in Dictionary(grouping: route.errors, by: { $0.status.code }) {
            responses[String(status)] = json(
                Set(codes).map { "`\($0.rawValue)`" }.sorted().joined(separator: " or "), FailureJSON.schema)
        }
        let success = endpoint.returns
        responses[String(success.status.code)] =
            success.schema.map { json("Success.", $0) } ?? ["description": "Success, without a body."]
        return responses
    }

    private static func json(_ description: String, _ schema: Schema) -> Schema {
        ["description": description, "content": ["application/json": ["schema": schema] as Schema] as Schema]
    }

    /// `getMe` for `GET /api/v1/me`, and `getOperatorUsersByUser` for `GET /operator/v1/users/{user}`.
    private static func identifier(_ method: String, _ path: String) -> String {
        let start = method.lowercased() + (OperatorResponder.isOperator(path[...]) ? "Operator" : "")
        return path.split(separator: "/").drop { $0 != "v1" }.dropFirst().reduce(start) { text, segment in
            let word = segment.hasPrefix("{") ? "by" + capitalised(segment.dropFirst().dropLast()) : segment[...]
            return text + capitalised(word)
        }
    }

    private static func capitalised(_ text: some StringProtocol) -> String {
        text.prefix(1).uppercased() + text.dropFirst()
    }
}

extension Route {
    /// The parameters of the path.
    var pathParameters: [(name: String, schema: Schema)] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { segment in
            let name = String(segment.dropFirst().dropLast())
            return (name, Self.pathSchemas[name] ?? String.schema)
        }
    }

    private static let pathSchemas: [String: Schema] = [
        "workspaceID": WorkspaceID.schema, "user": UserID.referenceSchema, "workspace": WorkspaceID.referenceSchema,
        "plan": PlanID.requestSchema, "webhookID": WebhookEndpointID.schema, "eventType": EventName.schema,
        "messageID": ["type": "string", "pattern": "^evt_[0-9a-f-]{36}$"],
    ]

    /// The codes that a request may fail by; some are there twice.
    var errors: [ErrorCode] {
        access.errors + (endpoint?.ownErrors ?? []) + (path.contains("{") ? [.notFound] : [])
    }
}

extension Route.Access {
    /// What every request with this access may fail by.
    fileprivate var errors: [ErrorCode] {
        let anywhere: [ErrorCode] = [.badRequest, .unauthorized, .httpsRequired, .internalError, .unavailable]
        switch self {
        case .key(.header, _), .key(.path, _):
            return anywhere + [.addressNotAllowed, .featureLocked, .notFound, .rateLimited]
        case .key(.accountOnly, _): return anywhere + [.addressNotAllowed, .rateLimited]
        case .operatorToken: return anywhere + [.forbidden]
        case .key(.keyAlone, _), .probe, .anyone, .session: return anywhere
        }
    }

    /// The parameters that every route with this access reads. Where the path names the workspace, the header can only
    /// repeat it, and is left out.
    var parameters: [Endpoint.Parameter] {
        switch self {
        case .key(.header, _): [.workspaceID]
        case .key(.path, _), .key(.accountOnly, _), .key(.keyAlone, _), .operatorToken, .probe, .anyone, .session: []
        }
    }
}

/// `GET /openapi.json`.
///
/// The document is made at the first request and kept.
final class OpenAPIHandlers: Sendable {
    private let openAPI: OpenAPI?
    private let made = Lock<[UInt8]?>(nil)

    /// - Parameter openAPI: nil where nobody asks for the document.
    init(_ openAPI: OpenAPI? = nil) {
        self.openAPI = openAPI
    }

    @Sendable func get(_ context: RequestContext) async throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-cache"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try document())))
    }

    private func document() throws -> [UInt8] {
        if let document = made.withLock({ $0 }) { return document }
        let document = try openAPI?.document() ?? []
        made.withLock { $0 = document }
        return document
    }
}
