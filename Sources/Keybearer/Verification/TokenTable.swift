/// A table from tokens to accounts: open addressing with linear probing, one hash for a look-up and nothing allocated.
///
/// A slot is found by the keyed hash; what counts is the comparison of the whole token, in constant time. Not safe by
/// itself: the directory's shard holds its lock.
struct TokenTable {
    private struct Slot {
        var token: PresentedToken
        var account: LiveAccount?
    }

    /// The hash of each slot's token, with ``used`` set; 0 where the slot is free.
    private var hashes: [UInt64] = []
    private var slots: [Slot?] = []
    /// How many tokens it holds.
    private(set) var count = 0
    /// Where the next one is evicted from.
    private var hand = 0

    private static let used: UInt64 = 1
    private static let smallest = 16

    /// What the table knows of a token: nil when nothing, and inside that nil when it has no account.
    func find(_ token: PresentedToken, hash: UInt64) -> LiveAccount?? {
        guard count > 0, let index = index(of: token, hash: hash) else { return nil }
        return .some(slots[index]?.account)
    }

    /// Puts a token in, or another account in its place.
    mutating func insert(_ token: PresentedToken, hash: UInt64, account: LiveAccount?) {
        if let index = index(of: token, hash: hash) {
            slots[index] = Slot(token: token, account: account)
            return
        }
        if (count + 1) * 4 > slots.count * 3 { grow() }
        place(Slot(token: token, account: account), hash: hash | Self.used)
        count += 1
    }

    /// Takes a token out; answers whether it was there.
    @discardableResult
    mutating func remove(_ token: PresentedToken, hash: UInt64) -> Bool {
        guard let index = index(of: token, hash: hash) else { return false }
        remove(at: index)
        return true
    }

    /// Takes out some token, another one each time, and answers its account.
    mutating func evict() -> LiveAccount? {
        guard count > 0 else { return nil }
        while true {
            hand = (hand + 1) & (hashes.count - 1)
            guard hashes[hand] != 0 else { continue }
            let account = slots[hand]?.account
            remove(at: hand)
            return account
        }
    }

    /// Takes everything out.
    mutating func removeAll() {
        self = TokenTable()
    }

    private func index(of token: PresentedToken, hash: UInt64) -> Int? {
        guard count > 0 else { return nil }
        let wanted = hash | Self.used
        var index = start(wanted)
        while hashes[index] != 0 {
            if hashes[index] == wanted, slots[index]?.token == token { return index }
            index = (index + 1) & (hashes.count - 1)
        }
        return nil
    }

    /// The lowest bit is ``used`` and the highest choose the shard; those between choose the slot.
    private func start(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 1) & (hashes.count - 1) }

    private mutating func place(_ slot: Slot, hash: UInt64) {
        var index = start(hash)
        while hashes[index] != 0 { index = (index + 1) & (hashes.count - 1) }
        hashes[index] = hash
        slots[index] = slot
    }

    /// Closes the gap by moving back what was probed past it, so that look-ups never walk over the dead.
    private mutating func remove(at removed: Int) {
        let mask = hashes.count - 1
        var gap = removed
        var index = (gap + 1) & mask
        while hashes[index] != 0 {
            let distance = (index &- start(hashes[index])) & mask
            if distance >= (index &- gap) & mask {
                hashes[gap] = hashes[index]
                slots[gap] = slots[index]
                gap = index
            }
            index = (index + 1) & mask
        }
        hashes[gap] = 0
        slots[gap] = nil
        count -= 1
    }

    private mutating func grow() {
        let (oldHashes, oldSlots) = (hashes, slots)
        let size = max(Self.smallest, hashes.count * 2)
        hashes = Array(repeating: 0, count: size)
        slots = Array(repeating: nil, count: size)
        for (hash, slot) in zip(oldHashes, oldSlots) where hash != 0 {
            if let slot { place(slot, hash: hash) }
        }
    }
}
