/// Counts the changes that memory has applied, and knows what the last few touched.
///
/// A request that waited asks it whether its account is still the one that it read.
struct RecentChanges: Sendable {
    /// How many are known. A request that waited for longer than these reads its account again.
    static let capacity = 256

    /// Goes up with every change.
    private(set) var generation: UInt64 = 0
    private var subjects: [Change.Subject] = []

    /// Takes in one more.
    mutating func append(_ subject: Change.Subject) {
        generation += 1
        if subjects.count < Self.capacity {
            subjects.append(subject)
        } else {
            subjects[Self.place(of: generation)] = subject
        }
    }

    /// Whether an account that was read at a generation may be another by now.
    func mayTouch(_ account: Account, since generation: UInt64) -> Bool {
        guard self.generation > generation else { return false }
        guard self.generation - generation <= UInt64(Self.capacity) else { return true }
        return (generation + 1...self.generation).contains { number in
            switch subjects[Self.place(of: number)] {
            case .user(let id), .window(let id): id == account.user.id
            case .workspace(let id): account.workspaces.contains { $0.workspace.id == id }
            case .everything: true
            case .importedKeys: false
            }
        }
    }

    private static func place(of generation: UInt64) -> Int { Int((generation - 1) % UInt64(capacity)) }
}
