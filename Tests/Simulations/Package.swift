// swift-tools-version: 6.2
import PackageDescription

// The rate limit's arithmetic alone, built for release: a million schedules take seconds there and minutes in debug. The
// sources are links to those of the domain, so that nothing else has to be built.
let package = Package(
    name: "RateLimitSimulation",
    targets: [
        .target(name: "RateLimitArithmetic", swiftSettings: [.swiftLanguageMode(.v6)]),
        .testTarget(
            name: "RateLimitSimulationTests",
            dependencies: ["RateLimitArithmetic"],
            path: "Tests",
            swiftSettings: [.swiftLanguageMode(.v6)]
        ),
    ]
)
