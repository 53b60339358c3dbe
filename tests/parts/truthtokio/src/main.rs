// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

//! tasks PORT BACKEND [current]: tokio, a task for each connection; tasks move between threads, and a thread works on
//! many by turns. `current`: all on one thread.
//!
//! Modes: one; two (one after the other); sleep (then a call, often on another thread); join (two at once, in one task);
//! spawn (two tasks of their own, awaited); keep (on a connection of a pool that all share); worker (a task made at the
//! start calls and tells the handler); none; after (a task that outlives the answer).

mod http;

use http::{ask, call, connect, read_head, Stream};
use std::env;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

type Job = (String, oneshot::Sender<()>);

struct Shared {
    backend: u16,
    pool: Mutex<Vec<Stream>>,
    jobs: mpsc::Sender<Job>,
}

async fn call_kept(shared: &Shared, path: &str) -> io::Result<()> {
    let pooled = shared.pool.lock().unwrap().pop();
    let mut stream = match pooled {
        Some(stream) => stream,
        None => connect(shared.backend).await?,
    };
    ask(&mut stream, path).await?;
    shared.pool.lock().unwrap().push(stream);
    Ok(())
}

async fn work(mut jobs: mpsc::Receiver<Job>, backend: u16) {
    while let Some((path, done)) = jobs.recv().await {
        call(backend, path).await;
        let _ = done.send(());
    }
}

async fn handle(mode: &str, id: &str, shared: &Arc<Shared>) -> io::Result<()> {
    let path = |k: u32| format!("/b/{mode}/{id}/{k}");
    let backend = shared.backend;
    match mode {
        "one" => call(backend, path(0)).await,
        "two" => {
            call(backend, path(0)).await;
            call(backend, path(1)).await;
        }
        "sleep" => {
            sleep(Duration::from_millis(3)).await;
            call(backend, path(0)).await;
        }
        "join" => {
            tokio::join!(call(backend, path(0)), call(backend, path(1)));
        }
        "spawn" => {
            let tasks: Vec<_> = (0..2).map(|k| tokio::spawn(call(backend, path(k)))).collect();
            for task in tasks {
                task.await?;
            }
        }
        "keep" => call_kept(shared, &path(0)).await?,
        "worker" => {
            let (done, waiting) = oneshot::channel();
            shared.jobs.send((path(0), done)).await.map_err(|_| io::ErrorKind::Other)?;
            waiting.await.map_err(|_| io::ErrorKind::Other)?;
        }
        "after" => {
            let later = path(0);
            tokio::spawn(async move {
                sleep(Duration::from_millis(5)).await;
                call(backend, later).await;
            });
        }
        _ => {}
    }
    Ok(())
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    loop {
        let head = read_head(&mut input).await?;
        let target = match head.first().and_then(|line| line.split(' ').nth(1)) {
            Some(target) => target.to_string(),
            None => return Ok(()),
        };
        let mut parts = target.split('/').skip(1);
        let (mode, id) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        handle(mode, id, &shared).await?;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{id}", id.len());
        input.get_mut().write_all(answer.as_bytes()).await?;
        if head.iter().any(|line| line.eq_ignore_ascii_case("connection: close")) {
            return Ok(());
        }
    }
}

async fn run(port: u16, backend: u16) -> io::Result<()> {
    let (jobs, received) = mpsc::channel(64);
    let shared = Arc::new(Shared { backend, pool: Mutex::new(Vec::new()), jobs });
    tokio::spawn(work(received, backend));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let shared = shared.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, shared).await {
                eprintln!("{error}");
            }
        });
    }
}

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    let (port, backend) = (args[1].parse().unwrap(), args[2].parse().unwrap());
    let mut builder = match args.get(3) {
        Some(_) => tokio::runtime::Builder::new_current_thread(),
        None => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(4).enable_all().build()?.block_on(run(port, backend))
}
