//! `report.html`: one file that needs nothing else, neither a network nor a script.

use std::fmt::Write as _;

use convscope_protocol::Table;
use convscope_protocol::figure::FigureContent as FigureKind;

use crate::chart;
use crate::content::{Content, FigureContent, ResultContent, Section, TableContent};
use crate::figure::{origin, short};
use crate::report::Provenance;
use crate::svg::markup::escape;
use crate::{font, markdown, theme};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Nothing may be fetched from anywhere, whatever a hostile title says.
const POLICY: &str = "default-src 'none'; img-src data:; font-src data:; \
                      style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// Longer tables end with a pointer to their file.
const MOST_ROWS: usize = 200;

/// Renders the page.
pub(crate) fn render(content: &Content<'_>, provenance: &Provenance) -> String {
    let title = escape(content.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"generator\" content=\"convscope {version}\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{faces}{STYLE}{dark}</style>\n</head>\n<body>\n",
        version = escape(&provenance.version),
        faces = font::faces(),
        dark = dark_theme(),
    );
    let _ = writeln!(html, "<header>\n<h1>{title}</h1>\n{THEMES}</header>");
    html.push_str(&navigation(content));
    html.push_str("<main>\n");
    for (place, section) in content.sections.iter().enumerate() {
        match section {
            Section::Text(text) => {
                let _ = writeln!(html, "<div class=\"text\">\n{}</div>", markdown::render(text));
            }
            Section::Result { result, figures, tables } => {
                let result = &content.results[*result];
                html.push_str(&result_section(place, result, figures, tables, provenance));
            }
            Section::Figure(figure) => html.push_str(&figure_html(figure)),
            Section::Table(table) => html.push_str(&table_html(table)),
        }
    }
    let _ = writeln!(
        html,
        "</main>\n<footer>\n<p>{}</p>\n<p>Full hashes and every file are listed in \
         <a href=\"manifest.json\">manifest.json</a>.</p>\n</footer>\n<script>\n{SCRIPT}</script>\n\
         </body>\n</html>",
        escape(&made_from(provenance))
    );
    html
}

/// The switch does nothing without a script, and is shown by it.
const THEMES: &str = "<div class=\"themes\" role=\"group\" aria-label=\"Theme\" hidden>\
    <button type=\"button\" data-choice=\"light\">Light</button>\
    <button type=\"button\" data-choice=\"auto\">Auto</button>\
    <button type=\"button\" data-choice=\"dark\">Dark</button></div>\n";

fn dark_theme() -> String {
    let variables = theme::page_variables();
    format!(
        "@media screen and (prefers-color-scheme:dark){{\n\
         :root:not([data-theme=light]){{{variables}--link:#7db7f2;color-scheme:dark}}\n{}}}\n\
         @media screen{{\n:root[data-theme=dark]{{{variables}--link:#7db7f2;color-scheme:dark}}\n{}}}\n",
        theme::dark_rules(":root:not([data-theme=light]) "),
        theme::dark_rules(":root[data-theme=dark] "),
    )
}

fn navigation(content: &Content<'_>) -> String {
    let mut items = String::new();
    let link = |target: &str, words: &str| format!("<a href=\"#{target}\">{}</a>", escape(words));
    for (place, section) in content.sections.iter().enumerate() {
        match section {
            Section::Text(_) | Section::Table(_) => {}
            Section::Figure(figure) => {
                let target = format!("figure-{}", figure.number);
                let _ = writeln!(items, "<li>{}</li>", link(&target, &figure.figure.title));
            }
            Section::Result { result, figures, .. } => {
                let name = &content.results[*result].name;
                let _ = write!(items, "<li>{}", link(&format!("result-{place}"), name));
                if !figures.is_empty() {
                    items.push_str("\n<ul>\n");
                    for figure in figures {
                        let target = format!("figure-{}", figure.number);
                        let _ = writeln!(items, "<li>{}</li>", link(&target, &figure.figure.title));
                    }
                    items.push_str("</ul>\n");
                }
                items.push_str("</li>\n");
            }
        }
    }
    if items.is_empty() {
        return items;
    }
    format!("<nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ul>\n{items}</ul>\n</nav>\n")
}

fn result_section(
    place: usize,
    result: &ResultContent<'_>,
    figures: &[FigureContent<'_>],
    tables: &[TableContent<'_>],
    provenance: &Provenance,
) -> String {
    let findings = result.findings;
    let mut html = format!(
        "<section id=\"result-{place}\">\n<h2>{}</h2>\n{}",
        escape(&result.name),
        paragraph("semantics", &findings.origin.semantics)
    );
    for note in &findings.notes {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    if !findings.scalars.is_empty() {
        html.push_str("<dl class=\"scalars\">\n");
        for (name, value) in &findings.scalars {
            let value = crate::svg::markup::number(*value);
            let _ = writeln!(
                html,
                "<div><dt>{}</dt><dd>{value}</dd></div>",
                escape(&name.replace('_', " "))
            );
        }
        html.push_str("</dl>\n");
    }
    html.extend(figures.iter().map(figure_html));
    html.extend(tables.iter().map(table_html));
    html.push_str(&settings(result, provenance));
    html.push_str("</section>\n");
    html
}

/// What the whole report was made from, in one line.
fn made_from(provenance: &Provenance) -> String {
    let mut parts =
        vec![format!("convscope {}", provenance.version), format!("seed {}", provenance.seed)];
    parts.extend((!provenance.backend.is_empty()).then(|| provenance.backend.clone()));
    for ingredient in provenance.models.iter().chain(&provenance.images) {
        parts.push(format!("{} {}", ingredient.name, short(&ingredient.hash)));
    }
    for plugin in &provenance.plugins {
        parts.push(format!("{} {} {}", plugin.id, plugin.version, short(&plugin.hash)));
    }
    parts.extend(provenance.script_hash.as_deref().map(|hash| format!("script {}", short(hash))));
    parts.join(" · ")
}

/// Settings, origin and files of a result, folded away.
fn settings(result: &ResultContent<'_>, provenance: &Provenance) -> String {
    let findings = result.findings;
    let mut html = String::from("<details>\n<summary>Settings and files</summary>\n<dl>\n");
    let mut parameters: Vec<_> = findings.origin.parameters.iter().collect();
    parameters.sort_by_key(|(name, _)| *name);
    for (name, value) in parameters {
        let _ = writeln!(
            html,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escape(name),
            escape(&value.to_string())
        );
    }
    for (name, value) in origin(&findings.origin, provenance) {
        let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    html.push_str("</dl>\n<ul class=\"files\">\n");
    for (file, array) in result.arrays.iter().zip(&findings.arrays) {
        let shape: Vec<String> = array.values.shape().iter().map(ToString::to_string).collect();
        let axes: Vec<&str> = array.meta.axes.iter().map(|axis| axis.name.as_str()).collect();
        let unit = if array.meta.unit.is_empty() {
            String::new()
        } else {
            format!(", in {}", array.meta.unit)
        };
        let words = format!(
            "{} × {}{unit}{}",
            shape.join(" × "),
            array.values.dtype(),
            if axes.is_empty() { String::new() } else { format!(" ({})", axes.join(", ")) }
        );
        let _ = writeln!(
            html,
            "<li><a href=\"{file}\">{}</a> <span>{}</span> {}</li>",
            escape(&array.name),
            escape(&words),
            escape(&array.meta.doc)
        );
    }
    html.push_str("</ul>\n</details>\n");
    html
}

fn figure_html(content: &FigureContent<'_>) -> String {
    let figure = content.figure;
    // A drawn table is a real one on the page: it can be read aloud, searched and copied.
    let panels = if let Some(table) = &content.table {
        table_rows(table)
    } else {
        let class = match figure.content {
            FigureKind::Maps(_) => "panels rows",
            FigureKind::Grid(_) | FigureKind::Picture(_) | FigureKind::Table(_) => "panels",
        };
        format!("<div class=\"{class}\">\n{}</div>\n", content.drawn.panels)
    };
    let legends = match content.drawn.legends.as_str() {
        "" => String::new(),
        legends => format!("<div class=\"legends\">\n{legends}</div>\n"),
    };
    format!(
        "<figure id=\"figure-{number}\">\n<h3>{}</h3>\n{}{panels}{legends}<figcaption>\n{}\
         <p class=\"files\"><a href=\"{file}\">SVG file</a></p>\n</figcaption>\n</figure>\n",
        escape(&figure.title),
        paragraph("reading", &figure.how_to_read),
        paragraph("caption", &content.caption),
        number = content.number,
        file = content.file,
    )
}

fn table_html(content: &TableContent<'_>) -> String {
    format!(
        "<figure>\n<h3>{}</h3>\n{}{}<figcaption>\n<p class=\"files\"><a href=\"{}\">CSV file</a>\
         </p>\n</figcaption>\n</figure>\n",
        escape(&content.table.name.replace('_', " ")),
        paragraph("reading", &content.caption),
        table_rows(content.table),
        content.file
    )
}

fn table_rows(table: &Table) -> String {
    let text: Vec<bool> = (0..table.columns.len()).map(|c| chart::is_text(table, c)).collect();
    let class = |column: usize| if text[column] { "" } else { " class=\"number\"" };
    let mut html = String::from("<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>");
    for (place, column) in table.columns.iter().enumerate() {
        let name = escape(&chart::heading(column));
        let _ = write!(html, "<th scope=\"col\"{}>{name}</th>", class(place));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in table.rows.iter().take(MOST_ROWS) {
        html.push_str("<tr>");
        for (place, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
            let shown = escape(&chart::shown(cell, column));
            let _ = write!(html, "<td{}>{shown}</td>", class(place));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    let more = table.rows.len().saturating_sub(MOST_ROWS);
    if more > 0 {
        let _ = writeln!(html, "<p class=\"reading\">and {more} more rows in the CSV file</p>");
    }
    html
}

fn paragraph(class: &str, text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("<p class=\"{class}\">{}</p>\n", escape(text)),
    }
}
