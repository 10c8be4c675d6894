import Testing

@testable import KeybearerSQLite

/// A ``NetworkFileSystem`` is found in the list of what is mounted.
@Suite struct NetworkFileSystemTests {
    @Test func networkFileSystemsAreReported() {
        let mounts = """
            22 27 0:21 / /proc rw,relatime - proc proc rw
            31 27 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
            40 31 0:52 / /srv/my\\040data rw,relatime shared:2 master:1 - nfs4 host:/export rw,vers=4.2
            41 31 0:300 / /mnt/c rw - 9p drvfs rw
            42 31 8:1 /a /b rw - xfs /dev/nfs rw
            """
        #expect(NetworkFileSystem.type(ofDevice: 254 << 8, mounts: mounts) == nil)
        #expect(NetworkFileSystem.type(ofDevice: 52, mounts: mounts) == "nfs4")
        #expect(NetworkFileSystem.type(ofDevice: (300 & 0xFF) | (300 & ~0xFF) << 12, mounts: mounts) == "9p")
        #expect(NetworkFileSystem.type(ofDevice: 8 << 8 | 1, mounts: mounts) == nil)
        #expect(NetworkFileSystem.type(ofDevice: 99, mounts: mounts) == nil)
    }
}
