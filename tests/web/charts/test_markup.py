from underspend.web.charts.markup import element


def test_everything_is_escaped():
    made = element("a", "<b>&", element("i", "x"), href='"><script>', class_="c", data_tip=None, x=0.25, y=3.0)
    assert made == '<a href="&#34;&gt;&lt;script&gt;" class="c" x="0.25" y="3">&lt;b&gt;&amp;<i>x</i></a>'
