/// What an account has used of its rolling hour: the store's side of the budget, as pure arithmetic.
///
/// Time is cut into one-minute buckets. A reservation is charged to the bucket of its LAST permitted use, and a bucket
/// frees when its END is 60 minutes old. So each use counts for at least 60 minutes after it happened, and the sum of
/// the buckets is at least what was admitted in any 60 minutes that end now. A reservation is granted
/// only while that sum stays within the limit, hence no 60 minutes ever admit more than the limit, whatever crashes.
/// The price: capacity returns up to one bucket plus one reservation's life late.
public struct RollingHour: Sendable, Equatable {
    /// One minute's charge.
    public struct Bucket: Sendable, Equatable {
        /// Minutes since the Unix epoch.
        public var minute: Int64
        /// Requests charged to it.
        public var count: Int

        /// Puts a bucket together.
        public init(minute: Int64, count: Int) {
            self.minute = minute
            self.count = count
        }

        /// When its charge no longer counts.
        public var freesAt: Timestamp {
            Timestamp(millisecondsSinceEpoch: (minute + 1 + RollingHour.windowMinutes) * RollingHour.minuteLength)
        }
    }

    static let windowMinutes: Int64 = 60
    static let minuteLength: Int64 = 60_000

    /// The bucket that a time is in.
    public static func minute(of time: Timestamp) -> Int64 { time.millisecondsSinceEpoch / minuteLength }

    /// The latest bucket whose charge no longer counts at a time.
    public static func lastFreedMinute(at time: Timestamp) -> Int64 { minute(of: time) - windowMinutes - 1 }

    /// The charged buckets, oldest first; at most 61 and those that a reservation reaches ahead.
    public private(set) var buckets: [Bucket]
    /// The latest time that was seen: the hour never runs backwards, whatever the wall clock does.
    public private(set) var latest: Timestamp

    /// An hour with nothing used, or one read back from a store.
    public init(buckets: [Bucket] = [], latest: Timestamp = Timestamp(millisecondsSinceEpoch: 0)) {
        self.buckets = buckets
        self.latest = latest
    }

    /// Requests that count at the latest time seen.
    public var charged: Int { buckets.reduce(0) { $0 + $1.count } }

    /// Reserves up to `wanted` requests that may be used until `life` after `now`.
    ///
    /// - Parameters:
    ///   - wanted: how many to reserve; 0 only looks.
    ///   - limit: the most that may be charged afterwards.
    ///   - life: how long after `now` the last of them may be used.
    ///   - now: the store's wall time; a time before ``latest`` counts as ``latest``.
    ///   - leavingRoom: takes no more than a quarter of what is left, and the last few one by one: near the limit no
    ///     server holds requests that a client of another one is waiting for.
    ///   - allowances: what counts for every account beside this hour's own buckets; see ``Allowance``.
    public mutating func reserve(
        _ wanted: Int, limit: Int, life: Duration, now: Timestamp, leavingRoom: Bool = false, allowances: [Bucket] = []
    ) -> Reservation {
        advance(to: now)
        let left = limit - counting(allowances).charged
        let most = leavingRoom ? Self.leavingRoom(of: left) : left
        let granted = max(0, min(wanted, most))
        let minute = Self.minute(of: latest.advanced(by: life))
        charge(granted, to: minute)
        return counting(allowances).answer(granted: granted, minute: minute)
    }

    /// What may be used of an allowance: all of it where the hour has room for it, with room for others left, or
    /// nothing. It changes nothing: what is used is recorded later, and counts for this account until then because the
    /// allowance counts for all.
    ///
    /// - Parameters:
    ///   - allowance: the one to use.
    ///   - allowances: the others that count.
    public func use(
        _ allowance: Bucket, limit: Int, now: Timestamp, allowances: [Bucket] = []
    ) -> Reservation {
        var hour = self
        hour.advance(to: now)
        hour = hour.counting(allowances)
        // Where the clock was set back, the allowance's minute may be one that frees too early.
        let fits = now >= latest && allowance.count <= Self.leavingRoom(of: limit - hour.charged)
        if fits { hour.charge(allowance.count, to: allowance.minute) }
        return hour.answer(granted: fits ? allowance.count : 0, minute: allowance.minute)
    }

    /// Records what was used of an allowance, whatever the limit is by now: it was admitted.
    public mutating func record(_ count: Int, minute: Int64) { charge(count, to: minute) }

    /// Gives back what a reservation did not use. Whoever calls this can no longer use it.
    public mutating func giveBack(_ count: Int, minute: Int64) {
        guard count > 0, let index = buckets.firstIndex(where: { $0.minute == minute }) else { return }
        buckets[index].count -= min(count, buckets[index].count)
        if buckets[index].count == 0 { buckets.remove(at: index) }
    }

    private mutating func advance(to now: Timestamp) {
        latest = max(latest, now)
        buckets.removeAll { $0.freesAt <= latest }
    }

    /// The same hour with what counts for every account.
    private func counting(_ allowances: [Bucket]) -> RollingHour {
        var hour = self
        for allowance in allowances where allowance.freesAt > latest {
            hour.charge(allowance.count, to: allowance.minute)
        }
        return hour
    }

    private static func leavingRoom(of left: Int) -> Int { left > 0 ? max(1, left / 4) : left }

    private func answer(granted: Int, minute: Int64) -> Reservation {
        Reservation(
            granted: granted, minute: minute, charged: charged,
            returns: buckets.map { .init(after: latest.duration(to: $0.freesAt), count: $0.count) },
            mayBeUnspent: buckets.contains { $0.minute >= Self.minute(of: latest) })
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

/// The store's answer to a request for a reservation.
public struct Reservation: Sendable, Equatable {
    /// Capacity that comes back after a span.
    public struct Return: Sendable, Equatable {
        /// How long after the answer was made.
        public var after: Duration
        /// How many requests.
        public var count: Int

        /// Puts both together.
        public init(after: Duration, count: Int) {
            self.after = after
            self.count = count
        }
    }

    /// How many requests may be used.
    public let granted: Int
    /// The bucket they are charged to: where what is not used is given back.
    public let minute: Int64
    /// All that counts now, this reservation included.
    public let charged: Int
    /// When what counts now comes back, soonest first.
    public let returns: [Return]
    /// Whether some of what counts can still be unspent somewhere: a bucket that no time has passed yet. Where it is
    /// false there is nothing to recall.
    public let mayBeUnspent: Bool

    /// Puts an answer together.
    public init(granted: Int, minute: Int64, charged: Int, returns: [Return], mayBeUnspent: Bool = false) {
        self.granted = granted
        self.minute = minute
        self.charged = charged
        self.returns = returns
        self.mayBeUnspent = mayBeUnspent
    }
}

extension RollingHour {
    /// The stored form: the latest time, then minute and count of each bucket, all as 64-bit little-endian numbers.
    public var storedForm: [UInt8] {
        var numbers: [Int64] = [latest.millisecondsSinceEpoch]
        for bucket in buckets { numbers += [bucket.minute, Int64(bucket.count)] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(numbers.count * 8)
        for number in numbers {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Reads ``storedForm``; nil when the bytes are not one.
    public init?(storedForm bytes: [UInt8]) {
        guard bytes.count % 16 == 8 else { return nil }
        let numbers: [Int64] = stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: Int64.self)) }
        }
        let buckets = stride(from: 1, to: numbers.count, by: 2).map { index in
            Bucket(minute: numbers[index], count: Int(numbers[index + 1]))
        }
        guard buckets.allSatisfy({ $0.count > 0 }) else { return nil }
        self.init(buckets: buckets, latest: Timestamp(millisecondsSinceEpoch: numbers[0]))
    }
}
