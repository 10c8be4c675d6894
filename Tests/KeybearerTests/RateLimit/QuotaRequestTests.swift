import Testing

@testable import Keybearer

/// A ``QuotaRequest``: what it says of itself, what it does to a window, and when its response calls for more.
@Suite struct QuotaRequestTests {
    private let userID = UserID(rawValue: "usr_ada")
    private let holder = NodeID(rawValue: "node_one")
    private let now = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)

    private func reserve(_ count: Int, releasing unused: [LocalQuota.Unused] = []) -> QuotaRequest {
        .reserve(userID, count: count, limit: 40, life: .seconds(60), releasing: unused)
    }

    @Test("In a holder's name it is the same request, with the holder and what is recorded first")
    func fromAHolder() {
        let unrecorded = RateLimitWindow.Bucket(minute: 30_000_000, count: 3)
        let request = QuotaRequest.from(holder: holder, unrecorded: unrecorded, reserve(10))
        #expect(request.userID == userID)
        #expect(request.count == 10)
        #expect(request.holder == holder)
        #expect(request.unrecorded == unrecorded)
        #expect(reserve(10).holder == nil && reserve(10).unrecorded == nil)
        #expect(QuotaRequest.look(userID).count == 0)
        #expect(QuotaRequest.release(userID, []).count == 0)
    }

    @Test("What is unused is released before more is reserved")
    func releasesFirst() {
        var window = RateLimitWindow()
        let held = window.apply(reserve(40), now: now, sharedReservations: [])
        #expect(held.granted == 40)
        #expect(window.apply(reserve(10), now: now, sharedReservations: []).granted == 0)
        let unused = LocalQuota.Unused(count: 5, minute: held.minute)
        #expect(window.apply(reserve(10, releasing: [unused]), now: now, sharedReservations: []).granted == 5)
        let released = window.apply(.release(userID, [unused]), now: now, sharedReservations: [])
        #expect(released.granted == 0 && released.charged == 35)
    }

    @Test("What was used of a shared reservation is recorded first, and counts from then on")
    func recordsFirst() {
        var window = RateLimitWindow()
        let used = RateLimitWindow.Bucket(minute: 30_000_000, count: 38)
        let request = QuotaRequest.from(holder: holder, unrecorded: used, reserve(10))
        #expect(window.apply(request, now: now, sharedReservations: []).granted == 2)
        #expect(window.apply(.look(userID), now: now, sharedReservations: []).charged == 40)
    }

    private func response(
        to request: QuotaRequest, granted: Int, mayBeUnused: Bool = true
    ) -> QuotaResponse {
        let reservation = Reservation(
            granted: granted, minute: 30_000_001, charged: 40, resets: [], mayBeUnused: mayBeUnused)
        return QuotaResponse(request: request, requestedAt: SteadyTime(nanoseconds: 0), reservation: reservation)
    }

    @Test("Reclaiming is worth it when nothing was granted and other nodes may hold unused quota")
    func isWorthReclaiming() {
        #expect(response(to: reserve(10), granted: 0).isWorthReclaiming)
        #expect(!response(to: reserve(10), granted: 1).isWorthReclaiming)
        #expect(!response(to: reserve(10), granted: 0, mayBeUnused: false).isWorthReclaiming)
        #expect(!response(to: .look(userID), granted: 0).isWorthReclaiming)
    }

    @Test("What was granted expires one life after the request was sent")
    func expiry() {
        let sent = SteadyTime(nanoseconds: 0)
        #expect(response(to: reserve(10), granted: 1).expiry == sent.advanced(by: .seconds(60)))
        #expect(response(to: reserve(10), granted: 0).expiry == nil)
        #expect(response(to: .look(userID), granted: 0).expiry == nil)
    }
}
