/// What an account has used in the last 60 minutes: the store's side of the rate limit, as pure arithmetic.
///
/// Time is cut into one-minute buckets. A reservation is charged to the bucket of its LAST permitted use, and a bucket
/// frees when its END is 60 minutes old. So each use counts for at least 60 minutes after it happened, and the sum of
/// the buckets is at least what was admitted in any 60 minutes that end now. A reservation is granted
/// only while that sum stays within the limit, hence no 60 minutes ever admit more than the limit, whatever crashes.
/// The price: quota becomes available again up to one bucket plus one reservation's life late.
///
/// The wall clock may be wrong:
/// - It goes back by a few seconds: time stands still until the clock is there again. So processes that read the clock
///   and then wait for one another do not turn time back.
/// - It goes back further: it was ahead, and time goes on from where the clock is now. What was charged to minutes that
///   no reservation made now can reach is charged to the last one that can: it frees within 62 minutes, and never
///   before it is 60 minutes old. Reservations from before that are not released; they stay charged.
/// - It goes forward: what was charged is available again early, once for each step.
package struct RateLimitWindow: Sendable, Equatable {
    /// One minute's charge.
    package struct Bucket: Sendable, Equatable {
        /// Minutes since the Unix epoch.
        package var minute: Int64
        /// Requests charged to it.
        package var count: Int

        /// Puts a bucket together.
        package init(minute: Int64, count: Int) {
            self.minute = minute
            self.count = count
        }

        /// When its charge no longer counts.
        package var freesAt: Timestamp {
            Timestamp(
                millisecondsSinceEpoch: (minute + 1 + RateLimitWindow.windowMinutes) * RateLimitWindow.minuteLength)
        }
    }

    static let windowMinutes: Int64 = 60
    static let minuteLength: Int64 = 60_000
    /// How long a reservation may live: a charge lies no further ahead than this and the rest of a bucket.
    static let longestLife: Duration = .seconds(60)
    /// How many milliseconds the clock may go back while time stands still. What is charged meanwhile frees that much
    /// later.
    package static let standstill: Int64 = 15_000

    /// The bucket that a time is in.
    package static func minute(of time: Timestamp) -> Int64 { time.millisecondsSinceEpoch / minuteLength }

    /// The latest bucket whose charge no longer counts at a time.
    package static func lastFreedMinute(at time: Timestamp) -> Int64 { minute(of: time) - windowMinutes - 1 }

    /// The last minute that a reservation made at a time is charged to.
    static func lastReachableMinute(at time: Timestamp) -> Int64 { minute(of: time.advanced(by: longestLife)) }

    /// The earliest time at which something can have been charged to a minute.
    private static func earliestCharge(to minute: Int64) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: (minute - 1) * minuteLength)
    }

    /// Whether the clock has come back from a time at which it was ahead.
    private static func hasComeBack(from time: Timestamp, to now: Timestamp) -> Bool {
        time.millisecondsSinceEpoch - now.millisecondsSinceEpoch > standstill
    }

    /// The minute in which a charge counts now: its own, unless it was made by a clock that was ahead and has come
    /// back.
    package static func foldedMinute(_ minute: Int64, at now: Timestamp) -> Int64 {
        hasComeBack(from: earliestCharge(to: minute), to: now) ? lastReachableMinute(at: now) : minute
    }

    /// The charged buckets, oldest first; at most 61 and those that a reservation reaches ahead.
    package private(set) var buckets: [Bucket]
    /// The latest time seen since the clock last came back. The window runs backwards only when the clock comes back.
    package private(set) var latest: Timestamp
    /// How often the clock has come back or a fresh hour has begun, in 15 bits. Minutes repeat then: a reservation
    /// carries this number, so that it is released to the bucket that it was charged to or to none.
    private var era: Int64 = 0

    /// A window with nothing used, or one read from a store.
    package init(buckets: [Bucket] = [], latest: Timestamp = Timestamp(millisecondsSinceEpoch: 0)) {
        self.buckets = buckets
        self.latest = latest
    }

    /// Requests that count at the latest time seen.
    package var charged: Int { buckets.reduce(0) { $0 + $1.count } }

    /// Reserves up to `wanted` requests that may be used until `life` after `now`.
    ///
    /// - Parameters:
    ///   - wanted: how many to reserve; 0 only looks.
    ///   - limit: the most that may be charged afterwards.
    ///   - life: how long after `now` the last of them may be used.
    ///   - now: the store's wall time; a time shortly before ``latest`` counts as ``latest``.
    ///   - leavingRoom: takes no more than a quarter of what is left, and the last few one by one: near the limit no
    ///     node holds requests that a client of another one is waiting for.
    ///   - sharedReservations: what counts for every account beside this window's own buckets; see
    ///     ``SharedReservation``.
    package mutating func reserve(
        _ wanted: Int, limit: Int, life: Duration, now: Timestamp, leavingRoom: Bool = false,
        sharedReservations: [Bucket] = []
    ) -> Reservation {
        advance(to: now)
        let left = limit - counting(sharedReservations).charged
        let most = leavingRoom ? Self.leavingRoom(of: left) : left
        let granted = max(0, min(wanted, most))
        let minute = Self.minute(of: latest.advanced(by: life))
        charge(granted, to: minute)
        return counting(sharedReservations).reservation(granted: granted, minute: minute, now: now)
    }

    /// What may be used of a shared reservation: all of it where the window has room for it, with room for others left,
    /// or nothing. It changes nothing: what is used is recorded later, and counts for this account until then because
    /// the shared reservation counts for all.
    ///
    /// - Parameters:
    ///   - sharedReservation: the one to use.
    ///   - sharedReservations: the others that count.
    package func use(
        _ sharedReservation: Bucket, limit: Int, now: Timestamp, sharedReservations: [Bucket] = []
    ) -> Reservation {
        var window = self
        window.advance(to: now)
        window = window.counting(sharedReservations)
        // Where the clock was set back, the shared reservation's minute may be one that frees too early.
        let isOnTime = window.latest == now && window.era == era
        let fits = isOnTime && sharedReservation.count <= Self.leavingRoom(of: limit - window.charged)
        if fits { window.charge(sharedReservation.count, to: sharedReservation.minute) }
        return window.reservation(
            granted: fits ? sharedReservation.count : 0, minute: sharedReservation.minute, now: now)
    }

    /// Records what was used of a shared reservation, whatever the limit is by now: it was admitted.
    package mutating func record(_ count: Int, minute: Int64) { charge(count, to: minute) }

    /// Releases what a reservation did not use. Whoever calls this can no longer use it.
    ///
    /// - Parameter minute: the reservation's. One from before the clock came back stays charged: the bucket of that
    ///   minute may be another one by now.
    package mutating func release(_ count: Int, minute: Int64) {
        let (era, minute) = (minute >> Self.minuteBits, minute & (1 << Self.minuteBits - 1))
        guard count > 0, era == self.era, let index = buckets.firstIndex(where: { $0.minute == minute }) else { return }
        buckets[index].count -= min(count, buckets[index].count)
        if buckets[index].count == 0 { buckets.remove(at: index) }
    }

    /// Begins a fresh hour: nothing counts any more, and no reservation from before is released to it.
    ///
    /// Nodes may hold such reservations until they have applied the change that tells them.
    package mutating func reset() {
        buckets = []
        era = (era + 1) & Self.eraMask
    }

    /// Whether this window differs from a stored one in more than its age.
    package func isWorthWriting(over stored: RateLimitWindow) -> Bool {
        era != stored.era || buckets != stored.buckets.filter { $0.freesAt > latest }
    }

    private mutating func advance(to now: Timestamp) {
        // What was recorded of a shared reservation can be later than all that was reserved.
        let seen = buckets.last.map { max(latest, Self.earliestCharge(to: $0.minute)) } ?? latest
        if Self.hasComeBack(from: seen, to: now) { comeBack(to: now) } else { latest = max(seen, now) }
        buckets.removeAll { $0.freesAt <= latest }
    }

    /// Goes on from a time before ``latest``. What is charged ahead of all that can be reserved now may still be in use
    /// for the rest of a reservation's life: it is charged as if it were reserved now.
    private mutating func comeBack(to now: Timestamp) {
        latest = now
        era = (era + 1) & Self.eraMask
        let last = Self.lastReachableMinute(at: now)
        let early = buckets.reduce(0) { $0 + ($1.minute > last ? $1.count : 0) }
        buckets.removeAll { $0.minute > last }
        charge(early, to: last)
    }

    /// The same window with what counts for every account.
    private func counting(_ sharedReservations: [Bucket]) -> RateLimitWindow {
        var window = self
        for sharedReservation in sharedReservations where sharedReservation.freesAt > latest {
            window.charge(sharedReservation.count, to: Self.foldedMinute(sharedReservation.minute, at: latest))
        }
        return window
    }

    private static func leavingRoom(of left: Int) -> Int { left > 0 ? max(1, left / 4) : left }

    /// - Parameter now: spans count from the clock as it is, also while time stands still.
    private func reservation(granted: Int, minute: Int64, now: Timestamp) -> Reservation {
        Reservation(
            granted: granted, minute: era << Self.minuteBits | minute, charged: charged,
            resets: buckets.map { .init(after: now.duration(to: $0.freesAt), count: $0.count) },
            mayBeUnused: buckets.contains { $0.minute >= Self.minute(of: latest) })
    }

    private mutating func charge(_ count: Int, to minute: Int64) {
        guard count > 0 else { return }
        if let index = buckets.firstIndex(where: { $0.minute == minute }) {
            buckets[index].count += count
        } else {
            let place = buckets.firstIndex { $0.minute > minute } ?? buckets.endIndex
            buckets.insert(Bucket(minute: minute, count: count), at: place)
        }
    }
}

/// What the store returns for a request.
package struct Reservation: Sendable, Equatable {
    /// Quota that is available again after a span.
    package struct Reset: Sendable, Equatable {
        /// How long after the response was made.
        package var after: Duration
        /// How many requests.
        package var count: Int

        /// Puts both together.
        package init(after: Duration, count: Int) {
            self.after = after
            self.count = count
        }
    }

    /// How many requests may be used.
    package let granted: Int
    /// Names the bucket they are charged to, to which what is not used is released. A minute since the Unix epoch, and
    /// in the bits above it how often the clock had come back.
    package let minute: Int64
    /// All that counts now, this reservation included.
    package let charged: Int
    /// When what counts now is available again, soonest first.
    package let resets: [Reset]
    /// Whether another node may hold some of what counts, unused: a bucket whose minute is not over. Where it is false
    /// there is nothing to reclaim.
    package let mayBeUnused: Bool

    /// Puts a reservation together.
    package init(granted: Int, minute: Int64, charged: Int, resets: [Reset], mayBeUnused: Bool = false) {
        self.granted = granted
        self.minute = minute
        self.charged = charged
        self.resets = resets
        self.mayBeUnused = mayBeUnused
    }
}

extension RateLimitWindow {
    private static let minuteBits: Int64 = 40
    private static let timeBits: Int64 = 48
    private static let eraMask: Int64 = 1 << 15 - 1

    /// The stored form: the latest time, then minute and count of each bucket, all as 64-bit little-endian numbers.
    /// Above the 48 bits of the latest time stands how often the clock has come back.
    package var storedForm: [UInt8] {
        var numbers: [Int64] = [era << Self.timeBits | max(0, latest.millisecondsSinceEpoch)]
        for bucket in buckets { numbers += [bucket.minute, Int64(bucket.count)] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(numbers.count * 8)
        for number in numbers {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Reads ``storedForm``; nil when the bytes are not one.
    package init?(storedForm bytes: [UInt8]) {
        guard bytes.count % 16 == 8 else { return nil }
        let numbers: [Int64] = stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: Int64.self)) }
        }
        let buckets = stride(from: 1, to: numbers.count, by: 2).map { index in
            Bucket(minute: numbers[index], count: Int(numbers[index + 1]))
        }
        guard buckets.allSatisfy({ $0.count > 0 }), numbers[0] >= 0 else { return nil }
        self.init(
            buckets: buckets, latest: Timestamp(millisecondsSinceEpoch: numbers[0] & (1 << Self.timeBits - 1)))
        era = numbers[0] >> Self.timeBits
    }
}
