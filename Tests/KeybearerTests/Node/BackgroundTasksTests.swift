import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// ``BackgroundTasks``: the loops of a ``Node``, and how one runs.
@Suite struct BackgroundTasksTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    private static func text(_ pace: BackgroundTask.Pace) -> String {
        switch pace {
        case .every(let span): "every \(span)"
        case .notification(let span): "notification, at most \(span)"
        case .itself(let span): "itself, \(span)"
        }
    }

    private static func cancelThisTask() {
        withUnsafeCurrentTask { task in
            if let task { task.cancel() }
        }
    }

    @Test("Each loop has its name, its pace and its thread; no two have the same name")
    func list() {
        let paces: [String: String] = [
            "changes": "notification, at most \(Duration.milliseconds(20))",
            "reclaims": "notification, at most \(Duration.milliseconds(20))",
            "prefetch": "every \(Duration.milliseconds(100))",
            "expired reservations": "every \(Duration.milliseconds(100))",
            "usage": "itself, \(Duration.milliseconds(100))",
            "idle account states": "every \(Duration.seconds(1))",
            "ends": "every \(Duration.seconds(5))",
            "failed sign-ins": "every \(Duration.seconds(1))",
            "webhooks": "itself, \(Duration.milliseconds(250))",
            "mails": "every \(Duration.seconds(1))",
            "audit positions": "every \(Duration.seconds(1))",
            "measurements": "every \(Duration.seconds(10))",
            "housekeeping": "every \(Duration.seconds(600))",
        ]
        let tasks = node.backgroundTasks
        #expect(Set(tasks.map(\.name)).count == tasks.count)
        #expect(Set(tasks.map(\.name)) == Set(paces.keys))
        for task in tasks { #expect(Self.text(task.pace) == paces[task.name], "\(task.name)") }
        // Those that the responses of other nodes wait for.
        #expect(tasks.filter(\.isOnStoreThread).map(\.name) == ["changes", "reclaims"])
    }

    @Test("A loop works again until it is cancelled")
    func runsAgain() async {
        let counter = Counter()
        let task = BackgroundTask("one", .every(.zero)) {
            counter.increment()
            if counter.value == 3 { Self.cancelThisTask() }
        }
        let store = fixture.store
        await Task { await task.run(on: store) }.value
        #expect(counter.value == 3)
    }

    @Test("A loop that is cancelled while it works does not wait out its pace")
    func endsEarly() async {
        let counter = Counter()
        let task = BackgroundTask("one", .every(.seconds(86_400))) {
            counter.increment()
            Self.cancelThisTask()
        }
        let store = fixture.store
        await Task { await task.run(on: store) }.value
        #expect(counter.value == 1)
    }

    @Test("A loop that was cancelled before it began does nothing")
    func isCancelledBefore() async {
        let counter = Counter()
        let task = BackgroundTask("one", .itself(.zero)) { counter.increment() }
        let store = fixture.store
        let running = Task {
            Self.cancelThisTask()
            await task.run(on: store)
        }
        await running.value
        #expect(counter.value == 0)
    }
}
