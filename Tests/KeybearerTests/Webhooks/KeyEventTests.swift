import Foundation
import TestSupport
import Testing

@testable import Keybearer

/// ``KeyEvent``: what it says and to whom, and that a process says it once an hour (``LimitedKeys``).
@Suite struct KeyEventTests {
    private let samples = Samples(seed: 73)
    private let key = (userID: UserID(rawValue: "usr_1"), keyID: KeyID(rawValue: "key_1"))

    private func count(_ outcome: UsageOutcome, of keyID: String = "key_1") -> UsageCount {
        UsageCount(
            userID: key.userID, keyID: KeyID(rawValue: keyID), quarter: Samples.start, outcome: outcome, count: 3)
    }

    @Test("Refusals for the rate limit are said once for a key and an hour")
    func limitedKeys() {
        var limited = LimitedKeys()
        #expect(limited.events(in: [count(.admitted), count(.addressNotAllowed)], at: samples.at(0)).isEmpty)
        let counts = [count(.rateLimited), count(.rateLimited, of: "key_2"), count(.rateLimited)]
        #expect(limited.events(in: counts, at: samples.at(1)).map(\.keyID.rawValue) == ["key_1", "key_2"])
        #expect(limited.events(in: counts, at: samples.at(2)).isEmpty)
        #expect(limited.events(in: counts, at: samples.at(3_601)).count == 2)
        let many = (0...LimitedKeys.most).map { count(.rateLimited, of: "key_many\($0)") }
        #expect(limited.events(in: many, at: samples.at(3_602)).count == many.count)
    }

    @Test("A message names the key's account, and is a workspace's for a service account alone")
    func message() throws {
        let seen = KeySource(
            address: IPAddress(v4: 0xC633_6407), userAgent: "curl/8 \"x\"", firstSeenAt: samples.at(1),
            lastSeenAt: samples.at(1))
        let event = KeyEvent(.newAddress(seen), userID: key.userID, keyID: key.keyID, at: samples.at(2))
        let workspaceID = WorkspaceID(rawValue: "ws_1")
        for (workspace, kind) in [(nil, "person"), (workspaceID, "service")] as [(WorkspaceID?, String)] {
            let message = event.message(in: workspace)
            #expect(message.workspaceID == workspace && message.userID == key.userID)
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(message.object)) as? [String: Any])
            #expect(object["accountKind"] as? String == kind && object["workspaceId"] as? String == workspace?.rawValue)
            #expect(object["address"] as? String == "198.51.100.7" && object["userAgent"] as? String == "curl/8 \"x\"")
        }
        #expect(event.message(in: nil).id == event.message(in: workspaceID).id)
        #expect(event.mail?.kind == .keyNewAddress && event.mail?.address == seen.address)
        let limited = KeyEvent(.rateLimited, userID: key.userID, keyID: key.keyID, at: samples.at(2))
        #expect(limited.mail == nil && limited.source != event.source)
        #expect(limited.message(in: nil).event == OwnEvent.keyRateLimited.name)
    }
}
