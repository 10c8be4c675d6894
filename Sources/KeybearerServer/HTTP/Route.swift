import Foundation
import HTTPTypes
import Hummingbird
import Keybearer

/// One method on one path: who may reach it, and the one handler behind it.
struct Route: Sendable {
    typealias OpenHandler = @Sendable (RequestContext) async throws -> Response
    typealias SessionHandler = @Sendable (RequestContext, SessionService.SignedIn) async throws -> Response

    /// What answers a request whose key passed.
    enum KeyHandler<Value: Sendable>: Sendable {
        /// Answers from memory: on the event loop, where the connection allows it.
        case memory(@Sendable (RequestContext, CachedAccount, RateLimitStatus) throws -> Value)
        /// Waits for the store.
        case awaiting(@Sendable (RequestContext, CachedAccount, RateLimitStatus) async throws -> Value)
    }

    /// What answers a program of the operator.
    enum OperatorHandler: Sendable {
        /// Looks something up, or does what cannot be in a batch.
        case alone(@Sendable (OperatorRequest) async throws -> APIResponse)
        /// Makes a write, alone or in a batch.
        case write(@Sendable (OperatorRequest) async throws -> OperatorWrite<APIResponse>)
        /// Many writes, each with the right that its own route needs.
        case batch
    }

    /// Who may reach a route. There is no default: a route says it or does not compile.
    enum Access: Sendable {
        /// Anyone, over plain HTTP too: what says nothing of anyone, such as the orchestrator's questions.
        case probe(OpenHandler)
        /// Anyone. These routes are the named list of what needs no credentials.
        case anyone(OpenHandler)
        /// A signed-in browser; and, where portal sections are named, one that a portal link of those signed in.
        /// Where an action is named, it is done in the workspace of the path, by a member whose role allows it.
        case session(SessionHandler, inPortal: Set<PortalSection> = [], does: Action? = nil)
        /// A program of the operator, by its token; nil where each part of the request needs a scope of its own.
        case operatorToken(OperatorScope?, OperatorHandler)
        /// A Secret Key that passes for this scope.
        case key(KeyScope, KeyHandler<APIResponse>)
    }

    /// What a key must be good for.
    enum KeyScope: Sendable {
        /// The feature in the workspace that `X-Workspace-Id` names, or in any.
        case header
        /// Membership and the feature in the workspace of the path's parameter.
        case path(parameter: String)
        /// A live key, whatever its plan.
        case accountOnly
        /// A live key, whatever its plan and whatever is left of its hour.
        case keyAlone
    }

    let method: HTTPRequest.Method
    let path: String
    let access: Access
    /// What a program has to know of it; nil for pages and probes.
    var endpoint: Endpoint?

    static func probe(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping OpenHandler) -> Route {
        Route(method: method, path: path, access: .probe(handler))
    }

    static func anyone(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping OpenHandler) -> Route {
        Route(method: method, path: path, access: .anyone(handler))
    }

    static func session(
        _ method: HTTPRequest.Method, _ path: String, inPortal sections: Set<PortalSection> = [],
        _ handler: @escaping SessionHandler
    ) -> Route {
        Route(method: method, path: path, access: .session(handler, inPortal: sections))
    }

    /// Something that a member does in the workspace of the path's `{workspaceID}`.
    static func workspace(
        _ method: HTTPRequest.Method, _ path: String, does action: Action, inPortal sections: Set<PortalSection> = [],
        _ handler: @escaping SessionHandler
    ) -> Route {
        Route(
            method: method, path: "/workspaces/{workspaceID}\(path)",
            access: .session(handler, inPortal: sections, does: action))
    }

    static func operatorToken<Value: ResponseValue>(
        _ method: HTTPRequest.Method, _ path: String, for scope: OperatorScope, returns: Value.Type,
        takes body: Endpoint.RequestContent = .nothing, with parameters: [Endpoint.Parameter] = [],
        namesOthers: Bool = false, fails codes: [ErrorCode] = [], summary: String,
        _ handler: @escaping @Sendable (OperatorRequest) async throws -> Value
    ) -> Route {
        Route(
            method: method, path: path,
            access: .operatorToken(scope, .alone { try await handler($0).response() }),
            endpoint: Endpoint(
                summary: summary, returns: Value.content, body: body, parameters: parameters,
                namesOthers: namesOthers, otherErrors: codes))
    }

    /// A write of an operator's program: it can be one of a batch.
    static func operatorWrite<Value: ResponseValue>(
        _ method: HTTPRequest.Method, _ path: String, for scope: OperatorScope, returns: Value.Type,
        takes body: Endpoint.RequestContent = .nothing, with parameters: [Endpoint.Parameter] = [], summary: String,
        _ handler: @escaping @Sendable (OperatorRequest) async throws -> OperatorWrite<Value>
    ) -> Route {
        Route(
            method: method, path: path,
            access: .operatorToken(
                scope, .write { request in try await handler(request).map { try $0.response() } }),
            endpoint: Endpoint(
                summary: summary, returns: Value.content, body: body, parameters: [.idempotencyKey] + parameters,
                isWrite: true))
    }

    /// Many writes at a time.
    static func operatorBatch<Value: ResponseValue>(
        _ path: String, returns: Value.Type, takes body: Endpoint.RequestContent, summary: String
    ) -> Route {
        Route(
            method: .post, path: path, access: .operatorToken(nil, .batch),
            endpoint: Endpoint(
                summary: summary, returns: Value.content, body: body, parameters: [.idempotencyKey]))
    }

    static func key<Value: ResponseValue>(
        _ method: HTTPRequest.Method, _ path: String, for scope: KeyScope = .header, returns: Value.Type,
        takes body: Endpoint.RequestContent = .nothing, with parameters: [Endpoint.Parameter] = [],
        fails codes: [ErrorCode] = [], summary: String, _ handler: KeyHandler<Value>
    ) -> Route {
        let written: KeyHandler<APIResponse> =
            switch handler {
            case .memory(let handler): .memory { try handler($0, $1, $2).response() }
            case .awaiting(let handler): .awaiting { try await handler($0, $1, $2).response() }
            }
        return Route(
            method: method, path: path, access: .key(scope, written),
            endpoint: Endpoint(
                summary: summary, returns: Value.content, body: body, parameters: parameters, otherErrors: codes))
    }
}

/// Finds the route of a path. Exact: no doubled slash, no dot segment and no escape is ever read as another path.
struct RouteTable: Sendable {
    /// All routes of one path, by method.
    struct MatchedPath: Sendable {
        let path: String
        var routes: [HTTPRequest.Method: Route]

        /// The value of `Allow`: `HEAD` comes with `GET`; `OPTIONS` is answered under the API.
        var allow: String {
            var methods = Set(routes.keys.map(\.rawValue))
            if methods.contains("GET") { methods.insert("HEAD") }
            if path.hasPrefix("/api/") { methods.insert("OPTIONS") }
            return methods.sorted().joined(separator: ", ")
        }
    }

    private var fixed: [String: MatchedPath] = [:]
    private var patterns: [(segments: [Substring], matched: MatchedPath)] = []

    init(_ routes: [Route]) {
        for route in routes {
            if route.path.contains("{") {
                if let index = patterns.firstIndex(where: { $0.matched.path == route.path }) {
                    patterns[index].matched.routes[route.method] = route
                } else {
                    let segments = route.path.split(separator: "/", omittingEmptySubsequences: false)
                    patterns.append((segments, MatchedPath(path: route.path, routes: [route.method: route])))
                }
            } else {
                fixed[route.path, default: MatchedPath(path: route.path, routes: [:])].routes[route.method] = route
            }
        }
    }

    /// The entry of a path with the values of its parameters; nil when no route has this path.
    func find(_ path: Substring) -> (matched: MatchedPath, parameters: [String: String])? {
        if let matched = fixed[String(path)] { return (matched, [:]) }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        for pattern in patterns where pattern.segments.count == segments.count {
            var parameters: [String: String] = [:]
            let matches = zip(pattern.segments, segments).allSatisfy { expected, given in
                guard expected.first == "{" else { return expected == given }
                parameters[String(expected.dropFirst().dropLast())] = String(given)
                return !given.isEmpty
            }
            if matches { return (pattern.matched, parameters) }
        }
        return nil
    }

    /// Whether a path belongs to the API once slashes, dots and escapes are read generously: what looks like the API is
    /// refused like the API.
    static func isAPI(_ path: Substring) -> Bool {
        if path.hasPrefix("/api/") { return true }
        let decoded = String(path).removingPercentEncoding ?? String(path)
        let segments = decoded.lowercased().split { $0 == "/" || $0 == "\\" }.filter { $0 != "." && $0 != ".." }
        return segments.first == "api"
    }
}
