import Keybearer
@testable import KeybearerScan
import Testing

/// Nothing that is reported has a key in it: ``ScanFind``, ``ScanPlace`` and the messages of problems. ``ScanRule`` names
/// what was found.
@Suite struct ScanReportTests {
    private let key = SampleKey.documented
    private let report = ScanReport(KeyPattern(prefixes: [.standard]))

    @Test func keysInMessagesAreCutAndFound() {
        report.add(problem: "cannot read 'x \(key)'", at: ScanPlace(file: "a"))
        #expect(report.complaints == "a: cannot read 'x tdc_mhSV…'" && report.tokens == [key])
        report.add(problem: "again", at: ScanPlace(file: "a"))
        report.add(problem: "again", at: ScanPlace(file: "a"))
        #expect(report.problems.count == 2)
    }

    @Test func theSameKeyHasTheSameFingerprint() {
        let finds = Scans.scan("\(key)\n\n \(key) \(SampleKey.make(1))").finds
        #expect(finds[0].fingerprint == finds[1].fingerprint && finds[0].fingerprint != finds[2].fingerprint)
        #expect(finds[0].fingerprint.count == 32)
        var dumped = ""
        dump(finds[0], to: &dumped)
        #expect(!dumped.contains(key.suffix(20)))
    }

    @Test func placesNameWhatIsInside() {
        var place = ScanPlace(file: "repository")
        (place.revision, place.path) = ("0123456789abcdef", "a/b.zip")
        #expect(place.inside("c").inside("d").description == "repository@0123456789ab:a/b.zip!c!d")
    }

    @Test func onlySecretKeysAreCertain() {
        #expect(KeyKind.allCases.filter { ScanRule($0).isCertain } == [.secretKey])
        #expect(Set(KeyKind.allCases.map { ScanRule($0).id }).count == 3)
    }
}
