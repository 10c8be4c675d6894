import CScheduling
import Dispatch
import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import KeybearerServer

/// ``EventLoopSlices``, and that the gate waits for no loop of API and dashboard.
@Suite struct EventLoopSlicesTests {
    /// What a loop's slice is where it asked for this one, on this machine's kernel.
    private static func granted(_ slice: UInt64) -> UInt64 {
        let knowsSlices = ProcessInfo.processInfo.isOperatingSystemAtLeast(
            OperatingSystemVersion(majorVersion: 6, minorVersion: 12, patchVersion: 0))
        return knowsSlices ? slice : 0
    }

    private static func slices(of group: any EventLoopGroup) async throws -> Set<UInt64> {
        var slices: Set<UInt64> = []
        for loop in group.makeIterator() { slices.insert(try await loop.submit { keybearer_slice() }.get()) }
        return slices
    }

    @Test("The gate's loops ask for the shortest slice, where the kernel has slices")
    func ofTheGate() async throws {
        let untouched = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        #expect(try await !Self.slices(of: untouched).contains(EventLoopSlices.gate))
        #expect(try await Self.slices(of: GateListener.eventLoops) == [Self.granted(EventLoopSlices.gate)])
        try await untouched.shutdownGracefully()
    }

    @Test("A server's other loops have asked for a short one when it answers, longer than the gate's")
    func ofAServer() async throws {
        #expect(EventLoopSlices.server > EventLoopSlices.gate)
        try await ServerFixture().listening { _ in
            let slices = try await Self.slices(of: MultiThreadedEventLoopGroup.singleton)
            #expect(slices == [Self.granted(EventLoopSlices.server)])
        }
    }

    @Test("A request at the gate does not wait for a loop of API and dashboard")
    func apart() async throws {
        let fixture = try ServerFixture()
        let key = try await fixture.account("ada@example.com").key
        try await fixture.listening { client in
            let request =
                "GET /gate HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
                + "Authorization: Bearer \(key)\r\n\r\n"
            let connection = try RawConnection(port: client.gatePort)
            // Known to memory from here on: what the store is asked runs on threads that other tests may have.
            _ = try connection.send(request)
            #expect(try connection.receive().status == 200)
            let status = try Self.holdingServerLoops {
                let another = try RawConnection(port: client.gatePort, secondsToWait: 10)
                _ = try another.send(request)
                return try another.receive().status
            }
            #expect(status == 200)
        }
    }

    /// Runs the body while every loop of API and dashboard is held. Without waiting as a task: those that would go on
    /// might wait for a loop themselves.
    private static func holdingServerLoops<Result>(_ body: () throws -> Result) throws -> Result {
        let (held, release) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let loops = Array(MultiThreadedEventLoopGroup.singleton.makeIterator())
        for loop in loops {
            loop.execute {
                held.signal()
                release.wait()
            }
        }
        defer { for _ in loops { release.signal() } }
        for _ in loops { #expect(held.wait(timeout: .now() + 10) == .success) }
        return try body()
    }
}
