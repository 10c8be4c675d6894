import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerSQL
@testable import KeybearerServer

/// Holds every write at the two points where its authority could end unnoticed, ends it in every way that there is, and
/// lets the request go on: nothing may change, and nothing secret may be answered.
@Suite("The stolen credential walk")
struct StolenCredentialWalk {
    /// Where a request is held.
    enum Hold: String, Sendable {
        /// All of it has arrived but its last byte.
        case lastByte = "at its last byte"
        /// It was decided, and its transaction has not begun.
        case commit = "before its transaction"
    }

    @Test("Every write route is walked")
    func complete() throws {
        let routes = try ServerFixture().server().makeRoutes()
        #expect(WalkRoute.missing(from: routes).isEmpty)
        let names = Set(routes.map { "\($0.method.rawValue) \($0.path)" })
        #expect(Set(WalkRoute.all.map(\.name)).union(WalkRoute.standIns).isSubset(of: names))
    }

    @Test("A write route that is not walked is found")
    func incomplete() throws {
        let forgotten = Route.session(.delete, "/account") { _, _ in throw KeybearerError.unavailable() }
        let routes = try ServerFixture().server().makeRoutes() + [forgotten]
        #expect(WalkRoute.missing(from: routes) == ["DELETE /account"])
    }

    @Test("Held at its last byte", arguments: WalkEngine.wires)
    func atLastByte(engine: WalkEngine, wire: Wire) async throws {
        try await WalkStage.run(engine, over: wire, through: WalkRoute.all) { route, stage in
            for end in route.ends(over: wire) { try await Self.expectRefusal(route, end, .lastByte, on: stage) }
        }
    }

    @Test("Held before its transaction", arguments: WalkEngine.wires)
    func beforeCommit(engine: WalkEngine, wire: Wire) async throws {
        let routes = WalkRoute.all.filter { $0.action != nil }
        try await WalkStage.run(engine, over: wire, through: routes) { route, stage in
            for end in route.ends(over: wire) { try await Self.expectRefusal(route, end, .commit, on: stage) }
        }
    }

    @Test(
        "Without the check in the transaction, every route is caught by the second hold", arguments: WalkEngine.allCases
    )
    func withoutCheck(engine: WalkEngine) async throws {
        let routes = WalkRoute.all.filter { $0.action != nil }
        try await WalkStage.run(engine, over: .http1, checks: false, through: routes) { route, stage in
            var isCaught = false
            for end in route.ends where !isCaught {
                isCaught = try await !Self.violations(route, end, .commit, on: stage).isEmpty
            }
            #expect(isCaught, "\(route.name) passes without the check")
        }
    }

    private static func expectRefusal(
        _ route: WalkRoute, _ end: AuthorityEnd, _ hold: Hold, on stage: WalkStage
    ) async throws {
        let violations = try await violations(route, end, hold, on: stage)
        #expect(violations.isEmpty, "\(route.name) held \(hold.rawValue), \(end.rawValue)")
    }

    /// What a held request got or changed that it must not.
    private static func violations(
        _ route: WalkRoute, _ end: AuthorityEnd, _ hold: Hold, on stage: WalkStage
    ) async throws -> [String] {
        let subject = try await stage.subject(
            hasTeam: route.hasTeam, hasSecondFactor: route.needsSecondFactor, isUnverified: route.isUnverified,
            hasEventType: route.needsEventType)
        if route.isByKey { try await stage.warm(subject.key, of: subject) }
        let request = route.request(subject)
        let (response, before) = try await stage.hold(request, hold, at: route.action) {
            try await end.carryOut(on: subject, by: stage.others)
        }
        let after = try await DatabaseSnapshot(stage.otherStore)
        var violations = after.difference(from: before).map { "it changed \($0)" }
        violations += response.secrets
        // The answer is the one that the same request would get now.
        let fresh = try await stage.client.send(request, over: stage.wire)
        if response.outcome != fresh.outcome {
            violations.append("it was answered \(response.outcome); a new request, \(fresh.outcome)")
        }
        if ![303, 401, 403, 404, 409, 422].contains(response.status) { violations.append("status \(response.status)") }
        if response.status == 303, response.values("location") != ["/sign-in"] { violations.append("it went on") }
        return violations
    }
}

extension WalkStage {
    /// Lets the server remember a key.
    func warm(_ key: String, of subject: WalkSubject) async throws {
        let request = WireRequest(headers: subject.headers + [("Authorization", "Bearer \(key)")])
        #expect(try await client.send(request, over: wire).status == 200)
    }

    /// Holds a request, does something meanwhile, and lets it go on.
    ///
    /// - Returns: the answer, and the database as it stood before the request went on.
    func hold(
        _ request: WireRequest, _ hold: StolenCredentialWalk.Hold, at action: AuditEvent.Action?,
        meanwhile: () async throws -> Void
    ) async throws -> (response: WireResponse, before: DatabaseSnapshot) {
        let held = try await client.hold(request, over: wire)
        try await until("the server has all but the last byte") {
            server.bodyMemory.bytesTaken == request.body.count - 1
        }
        guard hold == .commit, let action else {
            try await meanwhile()
            let before = try await DatabaseSnapshot(otherStore)
            held.finish()
            return (try await held.response(), before)
        }
        let gate = WriteHold(action, of: heldStore)
        defer { heldStore.holdWrites(nil) }
        var before: DatabaseSnapshot?
        let (response, first) = try await gate.during {
            held.finish()
            return try await held.response()
        } meanwhile: {
            try await meanwhile()
            before = try await DatabaseSnapshot(otherStore)
        }
        #expect(first == .reached, "\(request.path) was not held: \(response.text.prefix(300))")
        return (response, try #require(before))
    }
}

extension WireResponse {
    /// What tells one answer from another: status, where it leads, its challenge, and the error's code.
    var outcome: String {
        let code = (try? object(text))?["error"] as? String
        return ([String(status)] + values("location") + values("www-authenticate") + [code ?? ""])
            .joined(separator: " ").trimmingCharacters(in: .whitespaces)
    }

    /// What no refused request may be given.
    var secrets: [String] {
        var found: [String] = []
        if text.contains(/tdc_[0-9A-Za-z]{38}/) { found.append("it was told a key") }
        if text.contains(/<code>[a-z2-9]{4}(-[a-z2-9]{4}){3}</) { found.append("it was told recovery codes") }
        if text.contains(/whsec_[0-9A-Za-z+\/]{40}/) { found.append("it was told the secret of a webhook") }
        if text.contains(#""active":true"#) { found.append("it was told whose key it is") }
        // The cookie by which a browser is known again opens nothing: `DeviceCookie`.
        let cookies = values("set-cookie").filter { !$0.contains("Max-Age=0") && !$0.contains("-device=") }
        if !cookies.isEmpty { found.append("it was given a session") }
        return found
    }
}
