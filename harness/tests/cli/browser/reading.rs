//! The page as it is read and used: without a script, from the keyboard, by its buttons that copy.

use super::{assert_in_page, evaluate, page};
use crate::require::{Capability, require};

/// The command of the first failure.
const COMMAND: &str = "cpuid-fidelity check --machine pc-q35-1.0 --cpu Model3-v1";

#[test]
fn the_copy_button_copies_the_reproducer() {
    let script = "const kept = []; Object.defineProperty(navigator, 'clipboard', { value: { writeText: (text) => { kept.push(text);
      return Promise.resolve(); } } });
        document.querySelector('.card [data-copy]').click(); document.querySelector('td.FAIL').click();
        document.querySelector('#case [data-copy]').click(); return kept.join('; ');";
    assert_in_page(500, &[], script, &format!("{COMMAND}; {COMMAND}"));
}

#[test]
fn a_page_from_a_plain_server_copies_too() {
    // navigator.clipboard is of secure contexts only. What is copied then is what is selected.
    let script = "Object.defineProperty(navigator, 'clipboard', { value: undefined }); let kept = '';
        document.execCommand = (name) => { kept = `${name} ${getSelection()}`; return true; };
        const button = document.querySelector('.card [data-copy]'); button.click(); return [kept, button.textContent].join('; ');";
    assert_in_page(500, &[], script, &format!("copy {COMMAND}; copied"));
}

#[test]
fn a_page_without_a_script_reads_all_the_same() {
    let browser = or_skip!(require(Capability::Browser));
    let (folder, path) = page(500);
    let text = std::fs::read_to_string(path).expect("the page");
    let (before, _) = text.split_once("<script type=").expect("the data");
    let bare = folder.path().join("bare.html");
    std::fs::write(&bare, format!("{before}</body></html>")).expect("the page");
    let script = "const text = document.body.innerText; const dead = [...document.querySelectorAll('button, select, input')]
        .filter((one) => one.checkVisibility());
        return [text.includes('71 of 500 cases are not as expected: 1 cause'), text.includes('avx2 lost at CPUID.07H.00H:EBX[5]'),
        text.includes('-cpuid 0x00000007.00 ebx[ 5]     avx2'), text.includes('cpuid-fidelity check --machine pc-q35-1.0 --cpu Model3-v1'),
        document.querySelector('noscript') !== null, dead.length].join(' ');";
    let seen = evaluate(&browser, &bare, &[], script);
    assert_eq!(seen, "true true true true true 0");
}

#[test]
fn the_keyboard_gets_to_every_control() {
    // Sequential focus: what is visible and is no cell of the map but one.
    let script = "const all = [...document.querySelectorAll('a, button, select, input, summary, td[data-row], [tabindex]')]
        .filter((one) => one.checkVisibility());
        const reached = all.filter((one) => one.tabIndex >= 0), cells = reached.filter((one) => one.matches('td')).length;
        const lost = all.filter((one) => one.tabIndex < 0 && !one.matches('td, section')).length;
        const deaf = reached.filter((one) => { one.focus(); return document.activeElement !== one; }).length;
        return [cells, lost, deaf, reached.some((one) => one.matches('[data-copy]')), reached.some((one) => one.matches('[data-cause]'))].join(' ');";
    assert_in_page(500, &[], script, "1 0 0 true true");
}

#[test]
fn the_keyboard_goes_on_in_the_next_band_of_the_map() {
    let script = "draw(500); const key = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        const tables = [...document.querySelectorAll('#grid table')], row = tables[0].querySelector('tbody tr'), last = row.cells[row.cells.length - 1];
        last.focus(); key('ArrowRight'); const over = tables.indexOf(document.activeElement.closest('table')); key('ArrowLeft');
        return [tables.length > 1, over, document.activeElement === last].join(' ');";
    assert_in_page(10_000, &[], script, "true 1 true");
}
