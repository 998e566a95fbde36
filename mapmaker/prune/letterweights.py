"""What `letterform` knows of letters: 97 -> 32 -> 1, eight bits a weight, as base 85.

Trained by `bench/letters.py` on letters of 40 fonts drawn on plain and painted ground against what
is no letter: pieces of our own layouts and of the 37 CC0 and Unlicense maps of its list.
"""

SCALES = (0.00656779, 0.00591659, 0.00845460, 0.00192895)  # of the four arrays below
PACKED = """
G${ktvE(aL;u;gif!{6}?kN=9p1tu1?Ic19<jLde4KyAV_VNwx95fpb1MV9M0TmT7APW{2_xAh}4FLHe1=`yC4glO66#Lc
S|N0Ci`X>X*(hw5qEgu>N2LI&Hbg7=?Ls=xZmc{54-P{Ngzx4O<nX&rz75CQ)kew6oC;ba4nYcb9BmW&Qy#Z<)2=N#5yX{
a87625~(9#zL3la0;0s;LS9X~GG4kraoD-9y?5FH*pAoKe@PZI<YFWS)e4Bf5PEl<U_;q$}<G*=7p7DyXBA`Ua##_RYe9u
X4o^smw~7X<(84%N^m5dZ586y(<MA`9F249=n6{~74v+uPj^1o1Bw6zuaL^aWr57t7lp7Z5H974GgpBl~6x78C{p6zmK3^
#RG-1nbTX>*K)Q=+W`}*6sop@#+2l3h^cv_XP#_H3=0K@*fcoEfypS^*R&wBo-nj6;c-Y7zGO{5;z$Z4A!mI5J4RX1I3NW
B`WeN81T~M5Fj0R<n!?A<MZ$E@(d&<6dnxy0RJN$_8SB51Ox8+_X7p&_xtz<Ar1}76CUv!Kr#;WDgqk`_xBPqFf14s?CK*
uNh|IK3Kjzh#ND;O{T>qbl+pDK-tG0t$nqF4-_YCr9SH#k2KpU13h6R4`sP7h_y<Eh?aMP+3GWsSzpwua^X?ht+ujQD<^n
VZ84oWV;`9#t3=tLw>+Ay8=I!a^@%rV{<H_RW`wb1=-R$)h6a@eFDhKTi{}Ln@Ci>qE{4d|`1ONH<0}K}!`v=Si3I8S=*y
!;M7914u%LWngAtECt=qEA+7Z)Tb^)ggLF%k$0%^^5KI1&N_j?U@zA1ejhqtM{(92y9{)d~(Q5D)s(@cR@L-PpL(5f%E=z
{OAg^4H$l7$XYb#sUfI7Xts}<Ny`m$;kZy>k1(7$<*in1o<}G)B4r`Dg++o+X><LBN7by{TT2L8u$J15F-5>Hx};mBq<Ui
M<2rSJwF}pFdMS)G!q0SAqL~+6AcSHHv<s|_YniU<Ll@E?c?6g1pdnf`~Uv^3*OGt4=YzQ=gqyp114%o$=S#LD?eK-$H(3
jB`iW0%hKl`Asi7B+wAT1BN81Y`3?#K4F)(O5D5y`4I35;5Yxip0{-XK>izlq7y0Y;0SFNY1Qb0AEj<qu880gr{{#I486g
oN1}z98Di}CTA0!SD4f`V=2iL>w1I6;=@9z4&%i#d~_1f>c?da&=?)&lK=Hcqx?CcKw>C_7T^6mu(`0x<~{6!Ap1qb@?^%
m0X0q^Yi0OHT&7cvYa?9=$y@dy+1&Aj5az^=Kw#lHCL>cHwMK>iCWBm@gGMFJv87#SuNF%u~!2L1>S8U-B%GZ6~{6e1h^8
SUf!CMF>J=JggA;{7Q3)8Gt1Bohti>i!QF^avmsF&Q2F<rFqC{rC3Q(&iBm2M6`n;tk;U9yjjKDnQKX9~ZaHR5a211Qx!*
H44`Q{w&<w9RLLL6#bspAO8N*6zj_f2l4CS3?Lj%1k=|Y3GgNu5Bu5n>Hhfc@(d^(1RoFJ)XW4jFftn&0P@t@1RyE`3k?6
pox0i|7Z?K6zn{MLCPfqjECvD*{TcxiZ8kL#>GA>OPe38?<_0AO$=ABL>ev=3$JPuJ1Jv;m1^gE11ScaL^fdzZ`3dXzAM)
1Rw9WGi7t6rl-ug8j7XR=93iso*2M;q<Klq!N)fakpF%l2!@d!a8=?w+!^77fhyzL(%6auij2OBm%7#Z;D4+atuA_xr>1M
u%K`se=)4khUe1o{vp^9}PU?D7a0{QCYE5bf9V6BF&^`u`3dI9^dbO)Ek!BrY>;V>TZM0q^JxBp3$y@W`st&cMyqyxiQ^z
0tt*%);j6<ownm&fVtm{2JZ{DF*xvCHwUN_U+o))dm^q^d2G)8wDKVB|!hz`u7OjA`I%r0S))ZG5Q7L91q~pD*y1(AraWv
G!WzD6(rs5IROXd5)so3Oe*c-7&86~I3nilH7oz`7$pVyBMA8O1pWBs;rZVn7zzFQ-0SJp8Ux6|)x``F2oBio|J)fwEc)&
T{POHDIUfA~5%~TG?+rB+11TNZ$s!&B1{ojF!WI+s<oW;V>jo4B`soVzDmNY+A}ul(D;2`fAPoce0_V!c7y;SQ81DZ9^%5
B@Di{s*0U0k3`XnPk0QdCU)DTK2?ajs1)F34J!oSbx?g$R{-pv996$Rq$<-gec^yTch>G1*w)Zzu-4GS(R_SxVF3jH!O4D
$~uCow}rF!mx7_7MI04h;?!?b^2mGUfRoApXYc^Xl&qG%gt%3;z7^=M3)r>GdA^0~R9<7v&n~_a#wIKM5)$EhAE5R#WXDA
@}GD7gp&NDdD`>?(P{B%*e;Ep}5`Sn%Ldk%-YP-CL|jg7XuC33MLvF8|EMXJuDY9OcwhN|1SOeCk4~r4>Jz$4*}T^9R~dR
|Ki*b0lUMmwBPbH56GpfzWD?g3HsFT0|piL^%MH*H6G|C8YV3{C>rD!CJqf66Ya0u5+U>l2Hno&{R9aZJ1hU@8wnQ=7#<b
EEEfUq0yin`4%xoL!{ht=0pP0O@B0PW`x@Q^9U3RG^eyN59263@-y`hu3>XH$>>&N?{4o&a{xIRw_*)?F69v@T12z!xF&F
Ru?Gza>A`VAiUOOZd2Fc_GCj7(V@Wtl;1O4I<;olAs?i33m*{tsK_z@4@&Y<5WJ0kz@)vm-nHcuG&0h!JyGcW}W|GW4U76
b6%4D1#I3*ooV&;$t&8THfd?mbZ?OFlRX7_7h0<<I=~^Xb;v#?|Eo_|7OaBNY_q{{s6YC=~0i%nkS}DI@97{1PlrHx(8l8
z3(J><A+!CkgD$vg;2b58UI-><%L)6$01x-wgl<8T$DvApzFe0sIssClvj}2mR_2{^Z*XDeBJp>h|R84-4A!<r^UoAT<x=
=@0+~2L%)X76}y-00$L5N-r%n5&sA%Fc2I#FaQD%6%qpT{Sh+kAQbS$)A9rB`_0+>7YYo@t;_BC_S@Iw-U}BG+}Pw%5&Zk
u%<KZ@0ag&r+Y~1P`bYWL7VHZUASn#&4cXTDK{^uK0q^zhY&!G!A`S-uObZGj4hR1SI|>I9?C|*i7uxC${O{E7BGcnN4EF
N@?%MYw=-&M0>(25n@WtfdMC{fAAuJ)@<p2&FAoJwp1sC)H?ga-EC(7dg@DL*o`vNu*8yzGqEm&C}7atoG=nfg@{l&)Otl
7ln=)u|A)#b$wCOHcaCJ_M$3oJ1{Lf#PO+uz;p6%7g=7|71d+dJ6F4gnVF=<(vp6#)6<<jK~}_QJf^;M?o?<^KEz)B+?j`
t$PR#osn43j_E50QwUI>I*b21Sb~+=s!Lp1wk7z8bBcm5CHl;DiiJs9rF4GAPx)A&gSp`+7u4W&kc6w!QuPq2gteDzzq@R
4ffUt#Ud=)>&W^I)GQp%<i_AA3lb2&<>1ymC^i!S2>szjJ|zwS7X|N5QTXfk00!-5JNwcE78n^qJPO_^L>vwmHu}aBEDrh
f1PJB|3i{X^+|L2|@*MyF<JA1&v*oj-=i>O&rN7ws=*;rm)XCHs{|E-e!_dJB{~r1C2le^h5;z|)H9!Rc7(f|5DLE4-@FO
)V@Cz>&0}MPZ^8*kEKsPuQBn0aCH6`QL9TW8vGwjFS@<TTJ;`Z|@Cp8uPF$fqn0UHbUKRX)_>g)>S4hst;+Po(P^6m{!5W
zz(_3Qd0^PWB_{`m<N`Hu7u{{{*d2dC*0AQcuG|C!Vq49yB00qXq|3ZcXODkbi-#p3SV{`c_dqt*Th|HSVe_}Bm6+T1i3_
Z<1W`VvAe3S<)U>;Wq;L~j!a@Z$;<IZ_!D_wCr?EjA`K10enkEd>@B>Ma@yHvkm&t@!=xD)$8Tw!-4?9@YTV+3U;L2?#di
=<E*?1O(+B8x{HoAOh|sBQ+7|6YTdC8z%z<<?sCA;sWdS2rU)5lCa+D9wPO=w(kh}8TirP<q{zI02B*PN*wnC_!ApcLn8<
m1t=vF{1)f={`KJ5-y8%S{^{>u>FMqB6Pp;=@e3K91t>d#A5!;2#^)R859jIv{n#4)PFk%*yJ25Mw!Wonih;OFu&1uDTTY
~{OR>2}wp>N7fd
"""
