import Keybearer
import NIOCore

/// The supervised connections of one event loop, told together how time passes: one timer, however many there are.
final class LoopConnections {
    private let loop: any EventLoop
    private let tick: Duration
    private var supervisors: [ObjectIdentifier: ConnectionSupervisor] = [:]
    private var timer: RepeatedTask?

    init(_ loop: any EventLoop, tick: Duration) {
        self.loop = loop
        self.tick = tick
    }

    func add(_ supervisor: ConnectionSupervisor) {
        supervisors[ObjectIdentifier(supervisor)] = supervisor
        guard timer == nil else { return }
        let delay = TimeAmount.nanoseconds(tick.wholeNanoseconds)
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in bound.value.pass() }
    }

    func remove(_ supervisor: ConnectionSupervisor) {
        supervisors[ObjectIdentifier(supervisor)] = nil
        guard supervisors.isEmpty else { return }
        timer?.cancel()
        timer = nil
    }

    private func pass() {
        // A copy: a connection that ends takes itself out.
        for supervisor in Array(supervisors.values) { supervisor.passed(tick) }
    }
}
