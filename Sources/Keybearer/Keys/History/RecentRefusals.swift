/// The refusals of an account's requests since they were last taken to be written. Bounded.
///
/// As many as are shown are kept of a few; of a flood, one in a second, and always the last one: who sends requests that
/// are refused must not make the store write as often.
struct RecentRefusals: Sendable {
    private var kept: [KeyRefusal] = []
    /// How many may be kept as entries of their own.
    private var room = KeyHistory.mostRefusals
    private var filledAt = Timestamp(millisecondsSinceEpoch: 0)

    /// Takes in a refusal.
    mutating func record(_ refusal: KeyRefusal) {
        let seconds = filledAt.duration(to: refusal.at) / .seconds(1)
        if seconds >= 1 || seconds < 0 {
            room = seconds < 0 ? room : min(KeyHistory.mostRefusals, room + Int(min(seconds, 100)))
            filledAt = refusal.at
        }
        if room > 0 {
            room -= 1
        } else if !kept.isEmpty {
            kept.removeLast()
        }
        if kept.count >= KeyHistory.mostRefusals { kept.removeFirst() }
        kept.append(refusal)
    }

    /// Takes what is to be written, and begins again.
    mutating func take() -> [KeyRefusal] {
        if kept.isEmpty { return [] }
        defer { kept = [] }
        return kept
    }
}
