// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

//! blocking PORT BACKEND: the standard library alone, a thread for each connection.
//!
//! Modes: one; two (one after the other); keep (on a connection that the handler's thread keeps); none; scope (two calls
//! on threads of their own, joined); after (answers first, then calls); chain (passes on what was asked).

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

type Kept = Option<BufReader<TcpStream>>;

/// The head's lines, without the empty one; none at the end of the connection.
fn read_head(input: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 || line == "\r\n" {
            return Ok(lines);
        }
        lines.push(line.trim_end().to_string());
    }
}

fn ask(kept: &mut Kept, backend: u16, path: &str) -> io::Result<()> {
    if kept.is_none() {
        *kept = Some(BufReader::new(TcpStream::connect(("127.0.0.1", backend))?));
    }
    let input = kept.as_mut().unwrap();
    let text = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{backend}\r\n\r\n");
    input.get_mut().write_all(text.as_bytes())?;
    let length = read_head(input)?
        .iter()
        .filter_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(String::from))
        .find_map(|text| text.parse().ok())
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut body = vec![0; length];
    input.read_exact(&mut body)
}

fn call(backend: u16, path: &str) {
    if let Err(error) = ask(&mut None, backend, path) {
        eprintln!("{path}: {error}");
    }
}

/// The path of this request's call number k.
fn below(path: &str, k: u32) -> String {
    if path.starts_with("/b/") {
        format!("{path}.{k}")
    } else {
        format!("/b{path}/{k}")
    }
}

fn answer(output: &mut TcpStream, id: &str) -> io::Result<()> {
    output.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{id}", id.len()).as_bytes())
}

fn handle(path: &str, output: &mut TcpStream, backend: u16, kept: &mut Kept) -> io::Result<()> {
    let mut parts = path.trim_start_matches("/b/").trim_start_matches('/').split('/');
    let (mode, id) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    match mode {
        "one" | "chain" => call(backend, &below(path, 0)),
        "two" => (0..2).for_each(|k| call(backend, &below(path, k))),
        "keep" => ask(kept, backend, &below(path, 0))?,
        "scope" => thread::scope(|scope| {
            for k in 0..2 {
                scope.spawn(move || call(backend, &below(path, k)));
            }
        }),
        "after" => {
            answer(output, id)?;
            call(backend, &below(path, 0));
            return Ok(());
        }
        _ => {}
    }
    answer(output, id)
}

fn serve(stream: TcpStream, backend: u16) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    let mut kept = None;
    loop {
        let head = read_head(&mut input)?;
        let path = match head.first().and_then(|line| line.split(' ').nth(1)) {
            Some(path) => path,
            None => return Ok(()),
        };
        handle(path, input.get_mut(), backend, &mut kept)?;
        if head.iter().any(|line| line.eq_ignore_ascii_case("connection: close")) {
            return Ok(());
        }
    }
}

fn main() -> io::Result<()> {
    let ports: Vec<u16> = env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (port, backend) = (ports[0], ports[1]);
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = serve(stream, backend) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}
