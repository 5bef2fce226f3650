//! A virtual label printer on a raw TCP port, as Zebra's are: it takes ZPL, prints at a given speed into an ordered log,
//! counts its labels, tells its status, and breaks down on request. The log is what proves that nothing was printed twice.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

mod device;
mod framing;
mod graphics;
mod label;
mod status;

pub use device::Fault;
pub use graphics::Bitmap;
pub use label::Label;

use device::{Device, Order};

/// How a printer is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes any
    pub listen: SocketAddr,
    /// Stores every label here as `000001.zpl` and `000001.png`
    pub folder: Option<PathBuf>,
    /// Speed; none prints at once
    pub labels_per_second: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 0).into(), folder: None, labels_per_second: None }
    }
}

/// A running printer. Dropping it switches it off.
#[derive(Debug)]
pub struct VirtualPrinter {
    address: SocketAddr,
    device: Arc<Device>,
    tasks: [JoinHandle<()>; 2],
}

impl VirtualPrinter {
    /// Switches a printer on.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        if let Some(folder) = &options.folder {
            std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let listener =
            TcpListener::bind(options.listen).await.with_context(|| format!("listening on {}", options.listen))?;
        let address = listener.local_addr().context("listening")?;
        let device = Arc::new(Device::new(options.folder, options.labels_per_second));
        let tasks = [tokio::spawn(listen(device.clone(), listener, address)), tokio::spawn(press(device.clone()))];
        Ok(Self { address, device, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Everything that came out, in order.
    pub fn labels(&self) -> Vec<Label> {
        self.device.labels()
    }

    /// Waits until at least so many labels came out.
    pub async fn wait_for_labels(&self, count: usize, limit: Duration) -> anyhow::Result<Vec<Label>> {
        let mut changes = self.device.changes();
        let enough = async {
            while self.device.count() < count {
                // The sender lives in the device that we hold.
                let _ = changes.changed().await;
            }
        };
        if tokio::time::timeout(limit, enough).await.is_err() {
            bail!("{} of {count} labels came out within {:.1} s", self.device.count(), limit.as_secs_f64());
        }
        Ok(self.labels())
    }

    /// The printer's own counter of labels (`odometer.total_label_count`).
    pub fn odometer(&self) -> u64 {
        self.device.odometer()
    }

    /// How many formats wait in its buffer.
    pub fn waiting(&self) -> usize {
        self.device.waiting()
    }

    /// Lets something go wrong, in addition to what already is.
    pub fn fault(&self, fault: Fault) {
        self.device.break_down(fault);
    }

    /// Repairs everything; what waits is printed.
    pub fn clear(&self) {
        self.device.repair();
    }

    /// Empties the log. The counter goes on.
    pub fn forget(&self) {
        self.device.forget();
    }

    /// Changes the speed.
    pub fn set_speed(&self, labels_per_second: Option<f64>) {
        self.device.set_speed(labels_per_second);
    }

    /// Switches it off and waits until its port is free.
    pub async fn stop(mut self) {
        for task in &mut self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for VirtualPrinter {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Serves one connection at a time, first come first served, as the real port does.
async fn listen(device: Arc<Device>, listener: TcpListener, address: SocketAddr) {
    let mut changes = device.changes();
    let mut listener = Some(listener);
    loop {
        if device.refuses() {
            listener = None;
            let _ = changes.changed().await;
            continue;
        }
        let Some(open) = &listener else {
            listener = TcpListener::bind(address).await.ok();
            if listener.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((stream, _)) = accepted {
                    serve(&device, stream).await;
                }
            }
            _ = changes.changed() => {}
        }
    }
}

async fn serve(device: &Device, mut stream: TcpStream) {
    device.connected();
    let mut changes = device.changes();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        changes.mark_unchanged();
        let most = match device.order() {
            Order::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
            Order::Wait => {
                let _ = changes.changed().await;
                continue;
            }
            Order::Read(most) => most.min(buffer.len()),
        };
        tokio::select! {
            read = stream.read(&mut buffer[..most]) => match read {
                Ok(count) if count > 0 => {
                    let answer = device.receive(&buffer[..count]);
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            _ = changes.changed() => {}
        }
    }
}

/// Prints what waits, one label after the other.
async fn press(device: Arc<Device>) {
    let mut changes = device.changes();
    loop {
        changes.mark_unchanged();
        match device.time_to_print() {
            Some(time) => {
                if !time.is_zero() {
                    tokio::time::sleep(time).await;
                }
                device.print();
                tokio::task::yield_now().await;
            }
            None => {
                let _ = changes.changed().await;
            }
        }
    }
}
