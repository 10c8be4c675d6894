import Synchronization

/// Reads the accounts of tokens that memory does not know, each once for all who wait for it.
///
/// A read is shared only while the generation is the one it began with: a request that starts after a change was
/// answered must never be decided by a read from before it.
final class KeyReads: Sendable {
    private let cache: KeyCache
    private let vault: CurrentVault
    private let store: any KeyStore
    private let thread: any TaskExecutor
    private let reads = Lock<[PresentedToken: SingleFlightRead]>([:])
    private let readCount = Atomic<Int>(0)

    init(cache: KeyCache, vault: CurrentVault, store: any KeyStore, thread: any TaskExecutor) {
        self.cache = cache
        self.vault = vault
        self.store = store
        self.thread = thread
    }

    /// How many reads there were so far.
    var count: Int { readCount.load(ordering: .relaxed) }

    /// Resumes a waiter with the live account of a token; with nil where there is none. It joins a read that is under way,
    /// or begins one.
    func read(_ token: PresentedToken, for waiter: Timeout.Waiter<CachedAccount?>) {
        let generation = cache.generation
        let (read, isNew) = reads.withLock { reads in
            if let read = reads[token], read.generation == generation { return (read, false) }
            let read = SingleFlightRead(generation: generation)
            reads[token] = read
            return (read, true)
        }
        // A task of its own: the read goes on when this request has waited long enough.
        if isNew { Task(executorPreference: thread) { await self.finish(read, of: token) } }
        read.add(waiter)
    }

    private func finish(_ read: SingleFlightRead, of token: PresentedToken) async {
        let outcome: SingleFlightRead.Outcome
        do {
            outcome = .success(try await self.read(token, read.generation))
        } catch {
            outcome = .failure(error)
        }
        reads.withLock { reads in
            if reads[token] === read { reads[token] = nil }
        }
        read.finish(outcome)
    }

    private func read(_ token: PresentedToken, _ generation: UInt64) async throws -> CachedAccount? {
        readCount.add(1, ordering: .relaxed)
        let found = try await store.findKey(digests: vault.current.digests(of: token))
        guard case .live(let account) = found, account.user.status == .active else {
            var (user, ended): (User?, EndedKey?)
            switch found {
            case .live(let account): user = account.user
            case .ended(let past): ended = EndedKey(past)
            case nil: break
            }
            cache.insert(.rejected(ended), for: token, user: user, readAt: generation)
            return nil
        }
        let cached = CachedAccount(
            account: account, token: token, accountState: cache.accountState(of: account.user.id))
        cache.insert(.cached(cached), for: token, user: account.user, readAt: generation)
        return cached
    }
}
