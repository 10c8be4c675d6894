/// What a ``TokenTable`` holds: something that is found by a token.
protocol TokenEntry: Sendable {
    /// The token, whole: what was presented is compared with it.
    var token: PresentedToken { get }
    /// Whose it is, where that is known.
    var userID: UserID? { get }
}

/// A token that is known to be refused.
struct RejectedToken: TokenEntry {
    let token: PresentedToken
    /// The holder of a disabled account; nil for a token that no key has.
    let userID: UserID?
    /// Counts attempts, where the token is a key that ended.
    var ended: EndedKey?
}

/// A table of tokens: open addressing with linear probing, one hash for a look-up and nothing allocated.
///
/// A slot is found by the keyed hash; what counts is the comparison of the whole token, in constant time. Not safe by
/// itself: the cache's shard holds its lock.
struct TokenTable<Entry: TokenEntry>: Sendable {
    /// Hash and entry side by side: with many tokens every place that is read is waited for.
    private struct Slot: Sendable {
        /// The hash of the token, with ``used`` set; 0 where the slot is free.
        var hash: UInt64 = 0
        var entry: Entry?
    }
    private var slots: [Slot] = []
    /// The count of the slots, less one: a power of two, less one. Here as well, or the slot would be waited for only
    /// after the line of memory that holds the array's count.
    private var mask = 0
    /// How many tokens it holds.
    private(set) var count = 0
    /// Where the next one is evicted from.
    private var hand = 0

    private static var used: UInt64 { 1 }
    private static var smallest: Int { 16 }

    /// What the table knows of a token.
    func find(_ token: PresentedToken, hash: UInt64) -> Entry? {
        index(hash) { $0.token == token }.flatMap { slots[$0].entry }
    }

    /// Puts an entry in, or in the place of the one with its token.
    mutating func insert(_ entry: Entry, hash: UInt64) {
        let token = entry.token
        if let index = index(hash, where: { $0.token == token }) {
            slots[index].entry = entry
            return
        }
        if isFull { reserve(nextSize) }
        place(entry, hash: hash | Self.used)
        count += 1
    }

    /// Whether one more token needs more slots: a quarter stays free, so that probing ends soon.
    var isFull: Bool { (count + 1) * 4 > slots.count * 3 }

    /// How many slots it has when it has grown once more.
    var nextSize: Int { max(Self.smallest, slots.count * 2) }

    /// Grows to so many slots, a power of two; one that has as many stays as it is.
    mutating func reserve(_ size: Int) {
        guard size > slots.count else { return }
        let old = slots
        slots = Array(repeating: Slot(), count: size)
        mask = size - 1
        for slot in old {
            if let entry = slot.entry { place(entry, hash: slot.hash) }
        }
    }

    /// Takes out the user's token with this hash and returns it.
    mutating func remove(hash: UInt64, of userID: UserID) -> Entry? {
        guard let index = index(hash, where: { $0.userID == userID }) else { return nil }
        return remove(at: index)
    }

    /// Takes out some token, another one each time.
    mutating func evict() -> Entry? {
        guard count > 0 else { return nil }
        while true {
            hand = (hand + 1) & mask
            if slots[hand].hash != 0 { return remove(at: hand) }
        }
    }

    private func index(_ hash: UInt64, where isIt: (Entry) -> Bool) -> Int? {
        guard count > 0 else { return nil }
        let wanted = hash | Self.used
        var index = start(wanted)
        while slots[index].hash != 0 {
            if slots[index].hash == wanted, let entry = slots[index].entry, isIt(entry) { return index }
            index = (index + 1) & mask
        }
        return nil
    }

    /// The lowest bit is ``used`` and the highest choose the shard; those between choose the slot.
    private func start(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 1) & mask }

    private mutating func place(_ entry: Entry, hash: UInt64) {
        var index = start(hash)
        while slots[index].hash != 0 { index = (index + 1) & mask }
        slots[index] = Slot(hash: hash, entry: entry)
    }

    /// Fills the gap by moving later entries of the probe sequence back, so that no tombstones are needed.
    private mutating func remove(at removed: Int) -> Entry? {
        let entry = slots[removed].entry
        var gap = removed
        var index = (gap + 1) & mask
        while slots[index].hash != 0 {
            let distance = (index &- start(slots[index].hash)) & mask
            if distance >= (index &- gap) & mask {
                slots[gap] = slots[index]
                gap = index
            }
            index = (index + 1) & mask
        }
        slots[gap] = Slot()
        count -= 1
        return entry
    }
}
