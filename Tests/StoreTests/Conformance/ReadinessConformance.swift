import Keybearer
import TestSupport
import Testing

/// Whether a ``Store`` can be used.
@Suite struct ReadinessConformance {
    @Test(arguments: storesUnderTest)
    func anOpenStoreIsReady(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, _ in
            try await first.checkReadiness()
            try await second.checkReadiness()
        }
    }
}
