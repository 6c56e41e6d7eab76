//! Markdown becomes HTML; HTML in Markdown becomes words.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Renders Markdown for a page whose own heading is the only one of the first rank.
///
/// Raw HTML is shown as it was written. Pictures become their descriptions: a page asks no
/// network for anything. Links lead to the web, to mail or within the page.
pub(crate) fn render(text: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut html = String::new();
    let unseen = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let text = text.replace(unseen, "\u{fffd}");
    html::push_html(&mut html, Parser::new_ext(&text, options).map(tamed));
    html
}

fn tamed(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if is_harmless(&dest_url) { dest_url } else { CowStr::from("#") };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Start(Tag::Heading { level, .. }) => {
            let heading = Tag::Heading {
                level: lower(level),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            };
            Event::Start(heading)
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        other => other,
    }
}

fn is_harmless(address: &str) -> bool {
    let address = address.trim().to_ascii_lowercase();
    ["https://", "http://", "mailto:", "#"].iter().any(|start| address.starts_with(start))
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emphasis_lists_and_headings_are_rendered() {
        let html = render("# One\n\nEvery **unit**\n\n* a\n* b\n");
        assert!(html.contains("<h2>One</h2>"), "{html}");
        assert!(html.contains("<strong>unit</strong>") && html.contains("<li>a</li>"), "{html}");
    }

    #[test]
    fn html_is_shown_and_not_obeyed() {
        let html = render("a <b onclick=x>b</b>\n\n<script>alert(1)</script>\n");
        assert!(!html.contains("<script") && !html.contains("<b "), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
    }

    #[test]
    fn links_cannot_run_anything_and_pictures_are_not_fetched() {
        let html = render("[x](javascript:alert(1)) ![a cat](https://example.org/cat.png)");
        assert!(!html.contains("javascript") && !html.contains("<img"), "{html}");
        assert!(html.contains("<em>a cat</em>"), "{html}");
        assert!(render("[x](https://arxiv.org/abs/1311.2901)").contains("href=\"https://arxiv"));
    }
}
