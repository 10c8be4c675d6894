import Dispatch

/// The thread on which requests that need the store are decided, from the first look to the answer; on which keys are
/// revealed and regenerated, and on which changes are followed and waited for.
///
/// A wake-up of another thread costs such a request more than anything but the disk: on one thread, the tasks that take
/// part in it follow each other without any. It may be blocked for as long as a short read takes; a store that is stuck
/// then holds up what needs it and nothing else.
package final class StoreThread: TaskExecutor {
    /// Of no higher priority than the event loops: what memory can answer must not wait for what the store is asked.
    private let queue = DispatchQueue(label: "keybearer.store-requests", qos: .default)

    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
