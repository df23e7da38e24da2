use super::*;

/// Words stand between spaces, and `_` stands for a space within one.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace('_', " ")).collect()
}

/// Reads a line and checks the URL, the method, the headers, with `*` for those that curl sends of its own accord, and the
/// cookies. What curl 7.88 and 8 send was looked at with a server.
#[track_caller]
fn check(line: &str, url: &str, method: Option<&str>, headers: &[&str], cookies: &[&str]) {
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let headers: Vec<&str> = headers
        .iter()
        .flat_map(|header| if *header == "*" { &DEFAULTS } else { std::slice::from_ref(header) })
        .copied()
        .collect();
    let read = Curl::read(&words(line)).unwrap();
    assert_eq!(read.url.map(|url| url.text()).as_deref(), Some(url), "{line}");
    assert_eq!((read.method.as_deref(), read.headers), (method, owned(&headers)), "{line}");
    assert_eq!(read.cookies, owned(cookies), "{line}");
}

const DEFAULTS: [&str; 2] = ["accept: */*", "user-agent: curl/8"];
const FORM: &str = "content-type: application/x-www-form-urlencoded";

#[test]
fn lines() {
    check("curl http://a/", "http://a/", None, &["*"], &[]);
    check("/usr/bin/curl http://a/", "http://a/", None, &["*"], &[]);
    check("curl.exe http://a/", "http://a/", None, &["*"], &[]);
    check("/usr/bin/curl_'http://a/'_-I", "http://a/", Some("HEAD"), &["*"], &[]);
    check("curl -sSLk http://a/ -o /dev/null --max-time 5", "http://a/", None, &["*"], &[]);
    check("curl --ssl-no-revoke --http3-only -s -s a", "http://a/", None, &["*"], &[]);
    check("curl --url http://a/ -I", "http://a/", Some("HEAD"), &["*"], &[]);
    check("curl -T file http://a/", "http://a/", Some("PUT"), &["*"], &[]);
    check("curl a -b c=1 -H x-a:_b", "http://a/", None, &["*", "x-a: b"], &["c=1"]);
}

#[test]
fn bodies_and_queries() {
    check("curl -d x=1 http://a/", "http://a/", Some("POST"), &["*", FORM], &[]);
    check("curl -XPUT --data-raw -x http://a/", "http://a/", Some("PUT"), &["*", FORM], &[]);
    check("curl -X GET -d x=1 http://a/", "http://a/", Some("GET"), &["*", FORM], &[]);
    check("curl a -d x -H Content-Type:_b/c", "http://a/", Some("POST"), &["*", "Content-Type: b/c"], &[]);
    check("curl a -d x -H content-type:", "http://a/", Some("POST"), &["*"], &[]);
    let parts = "content-type: multipart/form-data; boundary=------------------------";
    check("curl a -F x=1", "http://a/", Some("POST"), &["*", parts], &[]);
    let json = ["accept: application/json", "user-agent: curl/8", "content-type: application/json"];
    check("curl a --json {}", "http://a/", Some("POST"), &json, &[]);
    check("curl a --json {} -H accept:_b", "http://a/", Some("POST"), &[json[1], json[2], "accept: b"], &[]);

    check("curl -G -d x=1 http://a/", "http://a/?x=1", None, &["*"], &[]);
    check("curl -G --data-urlencode b=c_&d -d e http://a/?f#g", "http://a/?f&b=c+%26d&e#g", None, &["*"], &[]);
    check(
        "curl -I -G -d b --data-urlencode =c_d --data-raw @ http://a/?",
        "http://a/?b&c+d&@",
        Some("HEAD"),
        &["*"],
        &[],
    );
    check(
        "curl a --url-query b=c_d --url-query +e=f/g --url-query ü",
        "http://a/?b=c+d&e=f/g&%C3%BC",
        None,
        &["*"],
        &[],
    );
    check("curl a --url-query b -G -d c", "http://a/?c", None, &["*"], &[]);
}

#[test]
fn headers() {
    check("curl a -A me -H Accept:_text/html", "http://a/", None, &["user-agent: me", "Accept: text/html"], &[]);
    for none in ["-A ", "-H user-agent:", "-H User-Agent:_", "-A me -H user-agent:"] {
        check(&format!("curl a {none}"), "http://a/", None, &["accept: */*"], &[]);
    }
    check("curl a -H x-a: -H x-b:_ -H x-c;", "http://a/", None, &["*", "x-c;"], &[]);
    check("curl a -H x-a:_b -H x-a:", "http://a/", None, &["*", "x-a: b"], &[]);
    check("curl a -e ", "http://a/", None, &["*"], &[]);
    check("curl a -e http://b/;auto", "http://a/", None, &["*", "referer: http://b/"], &[]);
    check("curl a -r 0-5", "http://a/", None, &["*", "range: bytes=0-5"], &[]);
    check("curl a --compressed", "http://a/", None, &["*", "accept-encoding: deflate, gzip, br, zstd"], &[]);
    check("curl a -b c=1 -H Cookie:_d=2", "http://a/", None, &["*", "Cookie: d=2"], &[]);
    check("curl a -b c=1 -H cookie:", "http://a/", None, &["*"], &[]);
}

#[test]
fn who_asks() {
    let basic = "authorization: Basic bWU6c2VjcmV0";
    check("curl a -u me:secret", "http://a/", None, &["*", basic], &[]);
    check("curl a --oauth2-bearer x -u me:secret", "http://a/", None, &["*", "authorization: Bearer x"], &[]);
    check("curl https://me:secre%74@a/", "https://a/", None, &["*", basic], &[]);
    check("curl https://u:p@a/ -u me:secret", "https://a/", None, &["*", basic], &[]);
    check("curl https://me@a/", "https://a/", None, &["*", "authorization: Basic bWU6"], &[]);
    check("curl https://me:x@a/ -H Authorization:_b", "https://a/", None, &["*", "Authorization: b"], &[]);
}

#[test]
fn paths() {
    check("curl a/x/../cart?b=/../c", "http://a/cart?b=/../c", None, &["*"], &[]);
    check("curl --path-as-is a/x/../cart", "http://a/x/../cart", None, &["*"], &[]);
    check(r"curl http://[::1]:80/?b\[c\]", "http://[::1]:80/?b[c]", None, &["*"], &[]);
    check("curl -g http://a/?b[c]={d}", "http://a/?b[c]={d}", None, &["*"], &[]);
}

#[test]
fn what_cannot_be_read() {
    #[track_caller]
    fn check(line: &str, expected: &str) {
        let error = Curl::read(&words(line)).unwrap_err().messages().join("\n");
        assert!(error.contains(expected), "{error}");
    }
    check("wget http://a/", "there is no option \"wget\"");
    check("--hots a", "there is no option --hots; did you mean --host?");
    check("-A me", "-A is an option of curl; expected it in a curl line");
    check("http://a/", "expected --url or curl before it");
    check("https://a/curl", "expected --url or curl before it");
    check("curl http://a/ --at now", "--at of serin stands before the curl line");
    check("curl http://a/ http://b/", "another URL, \"http://b/\"");
    check("curl http://a/ --next http://b/", "several requests, with --next between them; expected one");
    check("curl http://a/ -: http://b/", "several requests, with --next between them; expected one");
    check("curl http://a/{b,c}", "{ in \"http://a/{b,c}\" stands for several URLs; expected --globoff");
    check("curl http://a/ --frobnicate", "--frobnicate");
    check("curl http://a/ -b jar.txt", "from the file \"jar.txt\"");
    check("curl -G -d b=c", "the curl line has no URL");
    check("curl http://a/ -H @headers", "\"@headers\" from a file");
    check("curl http://a/ -G -d @file", "\"@file\" of --data is a file");
    check("curl http://a/ --url-query b@file", "\"b@file\" of --url-query is a file");
    check("curl_'http://a/", "a quote is not closed");
}
