import Foundation
import Keybearer
import Synchronization
import TestSupport
import Testing

@testable import KeybearerOutbound

@Suite("Resolving names")
struct HostResolverTests {
    @Test("The system's resolver knows this machine")
    func system() async throws {
        let addresses = try await HostResolver().addresses(of: "localhost", within: .seconds(30))
        #expect(!addresses.isEmpty && addresses.allSatisfy(\.isLoopback))
    }

    @Test("A name that cannot be is unknown")
    func unknown() async {
        await #expect(throws: HostResolver.Failure.unknownHost) {
            try await HostResolver().addresses(of: "no such name", within: .seconds(30))
        }
    }

    @Test("A name server that hangs holds one thread for each name, and nobody for longer than allowed")
    func hangs() async throws {
        let (release, count) = (DispatchSemaphore(value: 0), Counter())
        let resolver = HostResolver { host in
            if host == "fast.example" { return .success([.documentation]) }
            count.increment()
            release.wait()
            return .failure(.failed)
        }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    await #expect(throws: HostResolver.Failure.failed) {
                        try await resolver.addresses(of: "slow.example", within: .milliseconds(200))
                    }
                }
            }
        }
        #expect(count.value == 1)
        #expect(try await resolver.addresses(of: "fast.example", within: .seconds(30)) == [.documentation])
        release.signal()
        // The thread ends, and the next question asks again.
        try await until("the thread has ended") {
            release.signal()
            _ = try? await resolver.addresses(of: "slow.example", within: .milliseconds(50))
            return count.value >= 2
        }
    }

    @Test("Names that nobody knows leave threads to those that were resolved before, until these hang too")
    func kept() async throws {
        let release = DispatchSemaphore(value: 0)
        let hanging = Lock(false)
        let resolver = HostResolver(mostThreads: 4, keptThreads: 2) { host in
            if host == "known.example", !hanging.withLock({ $0 }) { return .success([.documentation]) }
            release.wait()
            return .failure(.failed)
        }
        _ = try await resolver.addresses(of: "known.example", within: .seconds(30))
        for number in 0..<2 {
            await #expect(throws: HostResolver.Failure.failed) {
                try await resolver.addresses(of: "\(number).example", within: .milliseconds(50))
            }
        }
        await #expect(throws: HostResolver.Failure.busy) {
            try await resolver.addresses(of: "another.example", within: .seconds(30))
        }
        #expect(try await resolver.addresses(of: "known.example", within: .seconds(30)) == [.documentation])
        hanging.withLock { $0 = true }
        await #expect(throws: HostResolver.Failure.failed) {
            try await resolver.addresses(of: "known.example", within: .milliseconds(50))
        }
        for _ in 0..<3 { release.signal() }
        // Their threads end, and others find a place.
        try await until("the threads have ended") {
            release.signal()
            do {
                _ = try await resolver.addresses(of: "last.example", within: .milliseconds(50))
            } catch HostResolver.Failure.busy {
                return false
            } catch {}
            return true
        }
    }

    @Test("Names that hang are bounded, and that is our own failure")
    func busy() async throws {
        let (release, count) = (DispatchSemaphore(value: 0), Counter())
        let resolver = HostResolver(keptThreads: 0) { _ in
            count.increment()
            release.wait()
            return .success([.documentation])
        }
        let waiting = (0..<HostResolver.mostThreads).map { number in
            Task { try await resolver.addresses(of: "host\(number).example", within: .seconds(60)) }
        }
        try await until("all threads wait") { count.value == HostResolver.mostThreads }
        await #expect(throws: HostResolver.Failure.busy) {
            try await resolver.addresses(of: "one-more.example", within: .seconds(60))
        }
        for _ in waiting { release.signal() }
        for each in waiting { #expect(try await each.value == [.documentation]) }
    }
}
