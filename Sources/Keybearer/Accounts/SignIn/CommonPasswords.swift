/// Passwords that are guessed first. Those in the list have eight characters or more.
enum CommonPasswords {
    /// Whether a password in lower case is in the list, has at most two different characters, or is a run of digits, of
    /// the alphabet or of the keyboard's keys.
    static func contains(_ password: String) -> Bool {
        if listed.contains(password) || Set(password).count <= 2 { return true }
        let runs = [
            "01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm",
        ]
        return runs.contains { $0.contains(password) }
    }

    private static let listed: Set<String> = Set(
        """
        password password1 password12 password123 password1234 password! passw0rd p@ssword p@ssw0rd pa55word
        12345678 123456789 1234567890 123123123 11223344 12341234 87654321 987654321 147258369 123654789
        qwertyui qwerty12 qwerty123 qwerty1234 qwertyuiop 1qaz2wsx 1q2w3e4r 1q2w3e4r5t q1w2e3r4 zaq12wsx qazwsxedc
        iloveyou iloveyou1 sunshine princess football football1 baseball basketball superman batman123 starwars
        trustno1 whatever welcome1 welcome123 letmein1 letmein123 admin123 admin1234 administrator changeme
        changeme1 changeme123 master123 monkey123 dragon123 shadow123 michael1 jennifer jordan23 liverpool
        chelsea1 arsenal1 computer internet samsung1 corvette mercedes midnight nicholas victoria alexander
        christopher spiderman pokemon1 butterfly chocolate strawberry friendship asdfghjk asdfasdf asdf1234
        zxcvbnm1 abcd1234 abc12345 a1b2c3d4 aa123456 test1234 testtest guest123 default1 secret123 login123
        hello123 helloworld freedom1 ginger12 cheese12 summer2024 summer2025 summer2026 winter2024 winter2025
        winter2026 google123 facebook1 linkedin1 keybearer keybearer1 yourapp123 correcthorsebatterystaple
        """.split(whereSeparator: \.isWhitespace).map(String.init))
}
