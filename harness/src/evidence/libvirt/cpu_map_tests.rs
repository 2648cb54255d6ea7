use super::*;

const INDEX: &str = "<cpus><arch name='x86'><include filename='f.xml'/><group><include filename='m.xml'/></group></arch>\
                     <arch name='arm'><include filename='nowhere.xml'/></arch></cpus>";
const FEATURES: &str = "<cpus><feature name='pni'><alias name='sse3' source='qemu'/><cpuid eax_in='0x01' ecx='0x00000001'/></feature>\
                        <feature name='avx2' migratable='no'><cpuid eax_in='0x07' ecx_in='0x00' ebx='0x00000020'/></feature>\
                        <feature name='vmx-ept'><msr index='0x0000048b' edx='0x00000000' eax='0x00000002'/></feature>\
                        <feature name='vmx-invvpid'><msr index='0x0000048c' edx='0x00000001' eax='0x00000000'/></feature>\
                        <feature name='vmx-activity-hlt'><msr index='0x00000485' edx='0x00000000' eax='0x00000040'/></feature>\
                        <feature name='high'><msr index='0x480' edx='0x1' eax='0x0'/></feature></cpus>";
const MODELS: &str = "<cpus><model name='A'><vendor name='Intel'/><feature name='pni'/></model>\
                      <model name='B'><model name='A'/><decode host='off'/><feature name='avx2'/>\
                      <feature name='pni' removed='yes'/></model></cpus>";

fn read(index: &str, features: &str, models: &str) -> Result<CpuMap, MapError> {
    let files = [("index.xml", index), ("f.xml", features), ("m.xml", models)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    CpuMap::parse(&files.into())
}

fn refused(index: &str, features: &str, models: &str) -> String {
    read(index, features, models)
        .expect_err("a broken map")
        .to_string()
}

#[test]
fn a_file_that_includes_itself_is_an_error() {
    let text = "<cpus><arch name='x86'><include filename='index.xml'/></arch></cpus>".to_owned();
    let error = CpuMap::parse(&[("index.xml".to_owned(), text)].into()).expect_err("a circle");
    assert_eq!(
        error.to_string(),
        "index.xml: 1:24: more than 8 files include one another in a chain; does one include itself?"
    );
}

#[test]
fn a_bit_that_no_msr_has_is_refused() {
    let read = |bit: u32| serde_json::from_str::<Spot>(&format!("{{\"msr\": [1152, {bit}]}}"));
    assert_eq!(read(63).expect("a bit"), Spot::Msr(0x480, 63));
    assert!(read(64).is_err());
}

#[test]
fn features_have_bits_and_models_have_ancestors() {
    let map = read(INDEX, FEATURES, MODELS).expect("a map");
    let spots = |name: &str| map.feature(name).expect("a feature").spots[0].to_string();
    assert_eq!(spots("pni"), "CPUID.01H.00H:ECX[0]");
    assert_eq!(spots("avx2"), "CPUID.07H.00H:EBX[5]");
    assert_eq!(spots("high"), "MSR.480H[32]");
    // As libvirt 11.3 writes them: a control by its number, a capability by its bit.
    assert_eq!(spots("vmx-ept"), "MSR.48BH[33]");
    assert_eq!(spots("vmx-invvpid"), "MSR.48CH[32]");
    assert_eq!(spots("vmx-activity-hlt"), "MSR.485H[6]");
    assert_eq!(map.features[0].qemu, ["sse3"]);
    assert!(!map.features[1].migratable);
    let b = &map.models["B"];
    assert_eq!((b.host, b.vendor.as_deref()), (false, Some("Intel")));
    assert_eq!(Vec::from_iter(&b.features), ["avx2"]);
    assert_eq!(Vec::from_iter(&b.removed), ["pni"]);
}

#[test]
fn a_broken_map_is_told_with_its_place() {
    assert_eq!(
        refused(INDEX, "<cpus>", MODELS),
        "f.xml: the root node was opened but never closed"
    );
    assert_eq!(
        refused(INDEX, &FEATURES.replace("0x00000020", "lots"), MODELS),
        "f.xml: 1:147: ebx is “lots”, not a hexadecimal number"
    );
    assert_eq!(
        refused(INDEX, FEATURES, &MODELS.replace("'avx2'", "'avx3'")),
        "m.xml: 1:127: no feature avx3"
    );
    assert_eq!(
        refused("<cpus/>", FEATURES, MODELS),
        "index.xml: 1:1: no <arch name='x86'>"
    );
    let index = INDEX.replace("m.xml", "n.xml");
    assert_eq!(
        refused(&index, FEATURES, MODELS),
        "n.xml is missing from libvirt's cpu_map"
    );
}
