import TestSupport
import Testing

@testable import Keybearer

/// What a process holds of each endpoint: ``EndpointLanes``.
@Suite struct EndpointLanesTests {
    private static func id(_ number: Int) -> WebhookEndpointID { WebhookEndpointID(rawValue: "whe_\(number)") }

    private static func items(_ count: Int, of id: WebhookEndpointID) throws -> [EndpointLanes.Item] {
        let endpoint = WebhookEndpoint(
            id: id, workspaceID: nil, name: "Hooks", url: try WebhookURL(parsing: "https://example.com"), events: .all,
            createdAt: Samples.start, updatedAt: Samples.start)
        return (0..<count).map { number in
            EndpointLanes.Item(
                delivery: ClaimedDelivery(
                    endpointID: id, messageID: WebhookMessageID(rawValue: "evt_\(number)"),
                    event: EventName(rawValue: "a.b"), sequence: Int64(number), attempts: 0, attemptsBefore: 0,
                    body: [], claim: []),
                endpoint: endpoint, secrets: WebhookSecrets(current: .random(from: .seeded(1))),
                end: .now.advanced(by: .seconds(60)))
        }
    }

    @Test func aSlowEndpointHasAFewAttemptsAndTakesNoOthersPlace() throws {
        let lanes = EndpointLanes()
        let (slow, fast) = (Self.id(1), Self.id(2))
        let room = lanes.room(for: [(slow, 8), (fast, 8)])
        #expect(room.map(\.count) == [8, 8], "nothing is known of either")
        #expect(lanes.add(try Self.items(8, of: slow), to: slow, most: 8) == 8)
        for _ in 0..<8 { #expect(lanes.next(of: slow) != nil) }
        #expect(lanes.room(for: [(slow, 8), (fast, 8)]).map(\.endpointID) == [fast])
        // Attempts that take long leave it at that.
        for _ in 0..<8 { _ = lanes.ended(slow, after: .seconds(14)) }
        for _ in 0..<8 { #expect(lanes.next(of: slow) == nil) }
        #expect(lanes.active == 0)
        #expect(lanes.room(for: [(slow, 8)]).isEmpty, "what is not written would be sent again")
        lanes.written(Array(repeating: slow, count: 8))
        #expect(lanes.room(for: [(slow, 8)]).map(\.count) == [8])
    }

    @Test func allSlowEndpointsTogetherHaveHalfOfThePlaces() throws {
        let lanes = EndpointLanes()
        let all = (0..<DeliveryRules.mostConcurrently).map { (Self.id($0), 8) }
        var held = 0
        for (id, count) in lanes.room(for: all) { held += lanes.add(try Self.items(count, of: id), to: id, most: 8) }
        #expect(held == EndpointLanes.mostOfSlow, "nobody knows yet whether they are slow")
        // One that is known to be quick finds a place.
        let fast = Self.id(10_000)
        #expect(lanes.add(try Self.items(1, of: fast), to: fast, most: 8) == 1)
        #expect(lanes.next(of: fast) != nil)
        _ = lanes.ended(fast, after: .milliseconds(50))
        #expect(lanes.next(of: fast) == nil)
        #expect(lanes.room(for: all + [(fast, 8)]).map(\.endpointID) == [fast])
    }

    @Test func whoAnswersQuicklyGetsMoreAtOnceAndNotMoreAtATime() throws {
        let lanes = EndpointLanes()
        let fast = Self.id(1)
        #expect(lanes.add(try Self.items(8, of: fast), to: fast, most: 8) == 8)
        for _ in 0..<8 {
            #expect(lanes.next(of: fast) != nil)
            _ = lanes.ended(fast, after: .milliseconds(2))
        }
        for _ in 0..<8 { #expect(lanes.next(of: fast) == nil) }
        #expect(lanes.room(for: [(fast, 8)]).map(\.count) == [DeliveryRules.mostClaimedPerEndpoint - 8])
        lanes.written(Array(repeating: fast, count: 8))
        #expect(lanes.room(for: [(fast, 8)]).map(\.count) == [DeliveryRules.mostClaimedPerEndpoint])
        #expect(lanes.add(try Self.items(64, of: fast), to: fast, most: 8) == DeliveryRules.mostPerEndpoint)
        #expect(lanes.room(for: [(fast, 8)]).isEmpty, "half of it first")
    }

    @Test func whatIsOutOfDateIsTakenBackAndTheRestStays() throws {
        let lanes = EndpointLanes()
        for number in 1...2 {
            #expect(lanes.add(try Self.items(3, of: Self.id(number)), to: Self.id(number), most: 1) == 1)
            #expect(lanes.next(of: Self.id(number)) != nil)
        }
        #expect(Set(lanes.waiting) == [Self.id(1), Self.id(2)])
        let taken = lanes.take { $0.endpoint.id == Self.id(2) || $0.delivery.sequence == 1 }
        #expect(taken.map(\.delivery.sequence) == [2] && taken.map(\.endpoint.id) == [Self.id(1)])
        #expect(lanes.next(of: Self.id(1))?.delivery.sequence == 1 && lanes.next(of: Self.id(1)) == nil)
        #expect(lanes.empty().map(\.endpoint.id) == [Self.id(2), Self.id(2)] && lanes.waiting.isEmpty)
    }

    @Test func oneMessageProbesAndAPauseHasNoRoom() {
        let lanes = EndpointLanes()
        #expect(lanes.room(for: [(Self.id(1), 1), (Self.id(2), 0)]).map(\.count) == [1])
    }

    @Test func allTogetherHoldNoMoreThanAProcessMay() throws {
        let lanes = EndpointLanes()
        for number in 0..<DeliveryRules.mostConcurrently / 8 {
            #expect(lanes.add(try Self.items(8, of: Self.id(number)), to: Self.id(number), most: 8) == 8)
        }
        #expect(lanes.room(for: [(Self.id(9_999), 8)]).isEmpty)
        #expect(lanes.empty().count == DeliveryRules.mostConcurrently)
    }
}
