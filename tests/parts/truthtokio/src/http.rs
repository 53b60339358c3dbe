// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

//! As much HTTP as the application needs.

use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub type Stream = BufReader<TcpStream>;

/// The head's lines, without the empty one; none at the end of the connection.
pub async fn read_head(input: &mut Stream) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).await? == 0 || line == "\r\n" {
            return Ok(lines);
        }
        lines.push(line.trim_end().to_string());
    }
}

pub async fn ask(input: &mut Stream, path: &str) -> io::Result<()> {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", input.get_ref().peer_addr()?);
    input.get_mut().write_all(text.as_bytes()).await?;
    let length = read_head(input)
        .await?
        .iter()
        .filter_map(|line| line.strip_prefix("Content-Length: "))
        .find_map(|text| text.parse().ok())
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut body = vec![0; length];
    input.read_exact(&mut body).await.map(|_| ())
}

pub async fn connect(backend: u16) -> io::Result<Stream> {
    Ok(BufReader::new(TcpStream::connect(("127.0.0.1", backend)).await?))
}

pub async fn call(backend: u16, path: String) {
    let result = async { ask(&mut connect(backend).await?, &path).await };
    if let Err(error) = result.await {
        eprintln!("{path}: {error}");
    }
}
