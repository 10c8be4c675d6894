/// A loop beside the requests: what it does, how often, and on which thread.
struct BackgroundTask: Sendable {
    /// When a task runs again.
    enum Pace: Sendable {
        /// When the span has passed since it ended.
        case every(Duration)
        /// When the store announces something, or when the span is over.
        case notification(atMost: Duration)
        /// It paces itself by this interval: its work is the whole loop.
        case itself(Duration)
    }

    let name: String
    let pace: Pace
    /// Whether it runs on ``StoreThread``, where short reads run.
    let isOnStoreThread: Bool
    let work: @Sendable () async -> Void

    init(
        _ name: String, _ pace: Pace, isOnStoreThread: Bool = false, _ work: @escaping @Sendable () async -> Void
    ) {
        self.name = name
        self.pace = pace
        self.isOnStoreThread = isOnStoreThread
        self.work = work
    }

    /// Works until the task is cancelled.
    func run(on store: any FenceStore) async {
        while !Task.isCancelled {
            await work()
            switch pace {
            case .every(let span): try? await Task.sleep(for: span)
            case .notification(let span): await store.waitForNotification(atMost: span)
            case .itself: continue
            }
        }
    }
}

/// Every background loop of a node, and the order in which a stop ends what they keep.
extension Node {
    /// They run concurrently, so a locked store delays only the task that waits for it.
    var backgroundTasks: [BackgroundTask] {
        [
            BackgroundTask("changes", .notification(atMost: RevocationFence.pollInterval), isOnStoreThread: true) {
                await self.fence.step()
            },
            BackgroundTask("reclaims", .notification(atMost: RevocationFence.pollInterval), isOnStoreThread: true) {
                await self.batcher.releaseReclaimed()
            },
            BackgroundTask("prefetch", .every(BackgroundWrites.interval)) { self.batcher.prefetch() },
            BackgroundTask("expired reservations", .every(BackgroundWrites.interval)) {
                await self.batcher.maintainSharedReservation()
                await self.batcher.releaseExpired()
            },
            BackgroundTask("usage", .itself(BackgroundWrites.interval)) { await self.usage.run() },
            BackgroundTask("idle account states", .every(.seconds(1))) { self.dropIdleAccountStates() },
            BackgroundTask("ends", .every(Node.endInterval)) { await self.endWhatIsDue() },
            BackgroundTask("failed sign-ins", .every(FailedSignIns.interval)) { await self.failedSignIns.flush() },
            BackgroundTask("mails", .every(MailDispatcher.interval)) { await self.mails.sendDue() },
            BackgroundTask("webhooks", .itself(WebhookDispatcher.interval)) { await self.webhooks.run() },
            // What fails is tried again with the next round.
            BackgroundTask("audit positions", .every(AuditSealer.interval)) {
                _ = try? await self.auditSealer.sealAll()
            },
            BackgroundTask("measurements", .every(Node.measurementInterval)) { await self.measure() },
            BackgroundTask("housekeeping", .every(.seconds(600))) { await self.removeWhatIsOver() },
        ]
    }

    /// Keeps memory true and writes what requests leave behind, until the task is cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            for task in backgroundTasks {
                group.addTask(executorPreference: task.isOnStoreThread ? context.thread : nil) {
                    await task.run(on: self.context.store)
                }
            }
        }
    }

    /// Writes what is still in memory and gives the lease up, in this order. Call it after the last response.
    public func stop() async {
        // Last uses and counts first: they are recorded by requests alone, and none comes any more.
        await usage.flush()
        await failedSignIns.flush()
        await webhooks.stop()
        // Then reservations: what is unused goes back to the accounts' rate limits.
        await batcher.stop()
        // The lease last: until here this node may have to apply changes that others wait for.
        await fence.stop()
    }
}

extension RevocationFence {
    /// Follows the changes and keeps the lease until the task is cancelled: for a process without the other loops.
    public func run() async {
        while !Task.isCancelled {
            await step()
            await store.waitForNotification(atMost: Self.pollInterval)
        }
    }
}
