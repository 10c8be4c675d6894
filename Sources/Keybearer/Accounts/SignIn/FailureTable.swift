/// Failure counts by subject, with a fixed capacity. Half of it holds subjects with fewer than 5 failures, half the
/// others. Each half evicts the subject whose last failure is the oldest.
///
/// A flood of subjects that fail once or twice therefore cannot evict a subject with many failures. A subject is
/// evicted only after as many others as its half holds fail between two of its own failures. Every operation takes a
/// number of steps that depends neither on how many there are nor on the capacity.
///
/// An attempt counts as a failure from its begin on, so that many at the same time cannot slip through together; its
/// outcome follows as ``fail(_:)`` or ``takeBack(_:)``.
struct FailureTable<Subject: Hashable & Sendable>: Sendable {
    /// What is known of a subject.
    struct Record: Sendable, Equatable {
        /// How often it failed, with the attempts whose outcome is open.
        var failures: Int
        /// When the last of these began.
        var lastFailureAt: SteadyTime
        /// How many outcomes are open.
        var open = 0
        /// When the latest attempt known to have failed began. ``lastFailureAt`` returns to it when the later attempts
        /// are taken back.
        var knownFailureAt: SteadyTime?
    }

    private struct Slot: Sendable {
        var subject: Subject
        var record: Record
        /// Neighbours in the same half; -1 where there is none.
        var older = -1
        var newer = -1
    }

    /// The records of one half, in the order of their last failures.
    private struct Line: Sendable {
        var oldest = -1
        var newest = -1
        var count = 0
    }

    /// From how many failures on a subject is in the half for those with many.
    private static var manyFailures: Int { 5 }

    private let capacity: Int
    private let memory: Duration
    private var places: [Subject: Int] = [:]
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var few = Line()
    private var many = Line()

    /// - Parameters:
    ///   - capacity: how many subjects it remembers at most; at least two.
    ///   - memory: how long a subject without failures is remembered.
    init(capacity: Int, memory: Duration) {
        self.capacity = capacity
        self.memory = memory
    }

    /// How often a record was put into one of the halves or taken out of it: what would grow if a full table had to be
    /// sorted.
    private(set) var relinks = 0

    /// How many subjects it remembers.
    var count: Int { places.count }

    /// What is known of a subject; nil when nothing is, or it is too long ago.
    func record(of subject: Subject, at now: SteadyTime) -> Record? {
        guard let place = places[subject], !isOver(slots[place].record, at: now) else { return nil }
        return slots[place].record
    }

    /// Counts an attempt as one more failure until its outcome is known.
    mutating func begin(_ subject: Subject, at now: SteadyTime) {
        var record = record(of: subject, at: now) ?? Record(failures: 0, lastFailureAt: now)
        record.failures += 1
        record.open += 1
        record.lastFailureAt = now
        if let place = places[subject] {
            unlink(place)
            slots[place].record = record
            link(place)
        } else {
            let place = free.popLast() ?? slots.count
            let slot = Slot(subject: subject, record: record)
            if place < slots.count { slots[place] = slot } else { slots.append(slot) }
            places[subject] = place
            link(place)
        }
    }

    /// An attempt that is open has failed.
    ///
    /// - Parameter begun: when it began.
    mutating func fail(_ subject: Subject, begun: SteadyTime) {
        guard let place = places[subject] else { return }
        slots[place].record.open = max(0, slots[place].record.open - 1)
        slots[place].record.knownFailureAt = max(slots[place].record.knownFailureAt ?? begun, begun)
    }

    /// Removes an open attempt that did not fail. The subject keeps its place in the order of eviction, unless it moves
    /// to the other half: there it becomes the newest.
    mutating func takeBack(_ subject: Subject) {
        guard let place = places[subject] else { return }
        var record = slots[place].record
        record.failures -= 1
        record.open = max(0, record.open - 1)
        if record.open == 0, let known = record.knownFailureAt { record.lastFailureAt = known }
        guard record.failures > 0 else { return remove(subject) }
        if Self.half(of: record) == Self.half(of: slots[place].record) {
            slots[place].record = record
        } else {
            unlink(place)
            slots[place].record = record
            link(place)
        }
    }

    /// Forgets a subject.
    mutating func remove(_ subject: Subject) {
        guard let place = places.removeValue(forKey: subject) else { return }
        unlink(place)
        free.append(place)
    }

    private func isOver(_ record: Record, at now: SteadyTime) -> Bool {
        record.lastFailureAt.duration(to: now) >= memory
    }

    private static func half(of record: Record) -> WritableKeyPath<FailureTable, Line> {
        record.failures < manyFailures ? \.few : \.many
    }

    /// Puts a slot behind the newest of its half, and forgets the oldest of a half that is full.
    private mutating func link(_ place: Int) {
        relinks += 1
        let half = Self.half(of: slots[place].record)
        if self[keyPath: half].count >= max(1, capacity / 2) {
            // On a line of its own: a build that is not optimised reads it from a copy of the table, which must be gone
            // before the table changes, or all of it is copied each time.
            let oldest = self[keyPath: half].oldest
            remove(slots[oldest].subject)
        }
        let before = self[keyPath: half].newest
        slots[place].older = before
        slots[place].newer = -1
        if before >= 0 { slots[before].newer = place } else { self[keyPath: half].oldest = place }
        self[keyPath: half].newest = place
        self[keyPath: half].count += 1
    }

    private mutating func unlink(_ place: Int) {
        relinks += 1
        let half = Self.half(of: slots[place].record)
        let (older, newer) = (slots[place].older, slots[place].newer)
        if older >= 0 { slots[older].newer = newer } else { self[keyPath: half].oldest = newer }
        if newer >= 0 { slots[newer].older = older } else { self[keyPath: half].newest = older }
        self[keyPath: half].count -= 1
    }
}
