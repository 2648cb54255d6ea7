use cpuid_fidelity::boot::*; use cpuid_fidelity::matrix::*; use cpuid_fidelity::host::kvm; use std::time::*;
fn main(){ let t=Instant::now(); let k=kvm::open().unwrap(); let table=kvm::layer::supported(&k).unwrap(); println!("open+supported {:?}",t.elapsed());
 let t=Instant::now(); let _l=kvm::KvmLayer::of_this_host().unwrap(); println!("kvm layer {:?}",t.elapsed());
 let t=Instant::now(); let _l=cpuid_fidelity::host::HostLayer::of_this_host(); println!("host layer {:?}",t.elapsed());
 let t=Instant::now(); let vm=k.create_vm().unwrap(); println!("create_vm {:?}",t.elapsed());
 let t=Instant::now(); vm.create_irq_chip().unwrap(); println!("irqchip {:?}",t.elapsed());
 let t=Instant::now(); let v=vm.create_vcpu(0).unwrap(); println!("vcpu {:?}",t.elapsed());
 let t=Instant::now(); v.set_cpuid2(&table.to_kvm().unwrap()).unwrap(); println!("setcpuid {:?}",t.elapsed());
 let t=Instant::now(); drop(v); drop(vm); println!("drop {:?}",t.elapsed());
 let smp=std::env::args().nth(1).unwrap_or("1".into());
 let case=Case{qemu:Qemu::none().into(),lane:Lane::KvmDirect,machine:"-".into(),cpu:"supported".into(),smp:smp.parse().unwrap(),spared:vec![]};
 let c=Cancel::new().unwrap();
 let mut o=Options::default(); let phases=o.phases.clone();
 for n in 1..=phases.len() { o.phases=phases[..n].to_vec(); let mut all=vec![]; for _ in 0..20 { let d=boot_direct(&case,&table,&o,&c).unwrap(); assert!(d.boot.completed(),"{:?}",d.boot); all.push(d.boot.elapsed);} all.sort(); println!("{:?} best {:?} median {:?} worst {:?}",o.phases.last(),all[0],all[10],all[19]); }
 o.phases=vec![]; let mut all=vec![]; for _ in 0..20 { let d=boot_direct(&case,&table,&o,&c).unwrap(); assert!(d.boot.completed(),"{:?}",d.boot); all.push(d.boot.elapsed);} all.sort(); println!("none best {:?} median {:?}",all[0],all[10]);
 for (n,m) in [(1u32,0x10u32),(256,0xc0010200)] { o.phases=vec![fidelity_protocol::frame::Phase::Sweep]; o.sweep=vec![(m,m+n-1)]; let mut all=vec![]; for _ in 0..10 { let d=boot_direct(&case,&table,&o,&c).unwrap(); all.push(d.boot.elapsed);} all.sort(); println!("sweep of {n}: best {:?}",all[0]); }
 { let t=Instant::now(); let mut x=0; for _ in 0..1000 { x^=raw_cpuid::native_cpuid::cpuid_count(1,0).eax; } println!("host CPUID {:?} each {x}",t.elapsed()/1000); }
 let rows=std::env::args().nth(2); if let Some(f)=rows { let d: cpuid_fidelity::dump::Dump=serde_json::from_str(&std::fs::read_to_string(f).unwrap()).unwrap(); let table=cpuid_fidelity::run::direct::table_of(&d).unwrap(); o.phases=phases; let mut all=vec![]; for _ in 0..20 { let d=boot_direct(&case,&table,&o,&c).unwrap(); assert!(d.boot.completed(),"{:?}",d.boot); all.push(d.boot.elapsed);} all.sort(); println!("486 best {:?} median {:?}",all[0],all[10]); }
}
